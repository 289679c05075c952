"""What people see of a job: their place in line, then the growing answer, then the finished one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from bot.answers.accumulate import Comparison, Draft
from bot.answers.generate import answer_buttons, shown_text
from bot.answers.vote_buttons import vote_buttons
from bot.delivery.channel_queue import QueuedMessage
from bot.delivery.message_diff import ELLIPSIS
from bot.delivery.outbox import Outbox
from bot.message import Place
from bot.platform import Action, AnswerColumn, Outgoing, Reader
from bot.queue_status import QueuePosition
from bot.sanitize import escape_markdown, safe_name, shorten_to_line
from bot.steps.trace import sheet_of, trace_lines
from bot.store import graph, votes
from bot.store.database import Database
from bot.store.jobs import Job
from bot.store.pictures import PictureFiles
from bot.store.snapshots import AnswerSnapshot, read_snapshot
from bot.store.tables import Finish
from bot.texts import Texts

LEAST_SHOWN_WAIT = 1.5  # seconds; a shorter wait is over before anybody has read about it
QUOTED = 200  # characters of a question above its answer


def no_way(answer: int) -> Action | None:
    return None


@dataclass(frozen=True, slots=True)
class AnswerView:
    """One answer on its platform. `answer`: as it was stored when the view was opened."""

    job: Job
    answer: graph.Answer
    queued: QueuedMessage
    outbox: Outbox
    texts: Texts
    standing: votes.Standing
    votes_open: bool  # a demo runs here: the finished answer gets a vote button
    picture: Path | None = None  # of a question that nobody else can see
    how_way: Callable[[int], Action | None] = no_way  # to how this answer came about: a button without its words

    def show_position(self, place: QueuePosition) -> None:
        """Show the place in line and the wait, unless the wait is short and nothing was shown before. Words of the answer stay instead."""
        if self.queued.grown:
            return
        if place.seconds is not None and place.seconds <= LEAST_SHOWN_WAIT and not self.queued.diff.begun:
            return
        language = self.job.settings.language
        if place.seconds is None:
            text = self.texts.render(language, "answer.in_line", count=place.position)
        else:
            text = self.texts.render(language, "answer.in_line_seconds", count=place.position, seconds=max(round(place.seconds), 1))
        self.queued.in_line = True
        self._show(self._with_heading(Outgoing(text, answer_buttons(None), self.job.answer, language=language)))

    def show_begun(self) -> None:
        """Take back a place in line that is shown: an engine is at work."""
        if self.queued.grown:
            self._show(self.queued.grown)
        elif self.queued.in_line:
            self.queued.in_line = False
            self._show(self._message(ELLIPSIS, None, ()))

    def show_waits(self, key: str) -> None:
        """Show why it is not answered now (`key`: of the texts); below the words of the answer that were shown already."""
        language = self.job.settings.language
        text = self.texts.render(language, key)
        if self.queued.grown:
            self._show(replace(self.queued.grown(), footer=text))
        else:
            self._show(self._with_heading(Outgoing(text, answer_buttons(None), self.job.answer, language=language)))

    def show_partial(self, draft: Draft | Comparison) -> None:
        """Show the text so far, when the channel's edit budget allows. What an engine began that died stays until this is as long."""
        text = draft.text
        if text.strip() and len(text) >= self.queued.longest:  # platforms refuse a blank message
            columns, self.queued.longest = draft.columns, len(text)
            self.queued.grown = lambda: self._message(text, None, columns)
            self._show(self.queued.grown)

    @property
    def is_shown(self) -> bool:
        """Whether people see all of what is to be shown now."""
        return self.queued.diff.next_step() is None

    async def show_typing(self) -> None:
        await self.outbox.show_typing(self.answer.place, self.queued.diff)

    async def finish(self) -> None:
        """Show the stored answer, with its buttons and notes; return when it is shown, or can't be."""
        answer = self.answer
        if answer.finish == Finish.STOPPED and not (answer.text or self.queued.diff.begun):
            self.discard()
            return
        text = shown_text(self.texts, self.job.settings.language, answer.text, answer.finish)
        votes_open = self.votes_open and answer.finish != Finish.FAILED
        actions = vote_buttons(self.job.answer, self.standing, votes_open=votes_open)
        message = self._message(text, answer.finish, self.standing.columns)
        self.queued.diff.finish(replace(message, actions=(*actions, *self._how())))
        await self.outbox.finish_answer(self.job.answer, answer.place)

    def _how(self) -> tuple[Action, ...]:
        """The button to how the answer came about, where its platform has buttons and shows that nowhere else."""
        limits, way = self.outbox.platform(self.answer.place).limits, self.how_way(self.job.answer)
        if sheet_of(self.answer.trace)[0]:  # what its steps looked at is shown by the command
            way = Action("", f"/how answer_id:{self.job.answer}")
        if way is None or self.answer.spoiler or limits.shows_explanations or not limits.buttons:
            return ()
        return (replace(way, label=self.texts.render(self.job.settings.language, "button.how")),)

    def _show(self, message: Outgoing | Callable[[], Outgoing]) -> None:
        if self.queued.diff.update(message):
            self.queued.changed.set()

    def discard(self) -> None:
        """Show no more of it: another bot has the answer, or another answer its messages."""
        self.outbox.discard_answer(self.job.answer, self.answer.place)

    def _message(self, text: str, finish: str | None, columns: tuple[AnswerColumn, ...]) -> Outgoing:
        answer, language = self.answer, self.job.settings.language
        ended, (sheet, seen) = finish is not None, sheet_of(answer.trace)
        message = Outgoing(
            text,
            answer_buttons(finish),
            self.job.answer,
            answer.footer,
            answer.spoiler,
            final=ended,
            reader=Reader(self.job.person.partition(":")[2], ""),  # of the key, the platform's id
            language=language,
            columns=columns,
            steps=trace_lines(answer.trace) if ended else "",
            steps_sheet=sheet if ended else "",
            steps_seen=seen if ended else "",
        )
        return self._with_heading(message)

    def _with_heading(self, message: Outgoing) -> Outgoing:
        """The message below a heading with who asked what, where nobody else can see the question; else unchanged."""
        if (quoted := self.answer.quoted) is None:
            return message
        asked = escape_markdown(shorten_to_line(quoted.text or self.texts.render(message.language, "answer.describe"), QUOTED))
        heading = f"> **{escape_markdown(safe_name(quoted.asker))}**: {asked}\n\n"
        # A small picture can't be covered as a spoiler is.
        return replace(message, heading=heading, picture=None if message.spoiler else self.picture)


class AnswerViews:
    """Opens the views of answers, when generation begins and when it is finished. `demo_runs`: whether people vote in a place.

    `how_way`: see `AnswerView`.
    """

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        texts: Texts,
        demo_runs: Callable[[Place], bool],
        files: PictureFiles,
        how_way: Callable[[int], Action | None] = no_way,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._texts = texts
        self._demo_runs = demo_runs
        self._files = files
        self._how_way = how_way

    async def load(self, job: Job, *, busy: bool = True) -> AnswerView | None:
        """The view of a stored answer; None: it was deleted. `busy`: its question gets a reaction until the answer is finished."""
        snapshot = await self._database.read(read_snapshot, job.answer)
        return self.open(job, snapshot, busy=busy) if snapshot else None

    def open(self, job: Job, snapshot: AnswerSnapshot, *, busy: bool = True) -> AnswerView:
        """As `load`, with what was read from the store already."""
        answer, quoted, texts = snapshot.answer, snapshot.answer.quoted, self._texts.on(snapshot.answer.place.platform)
        reply_to = answer.reply_to or (quoted.follows if quoted else None)
        queued = self._outbox.open_answer(job.answer, answer.place, reply_to, snapshot.sent, snapshot.recorded, busy=busy)
        votes_open = self._demo_runs(answer.place)
        picture = self._files.path(quoted.sha256) if quoted and quoted.sha256 else None
        return AnswerView(job, answer, queued, self._outbox, texts, snapshot.standing, votes_open, picture, self._how_way)
