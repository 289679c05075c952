"""What people see of a job: their place in line, the answer as it grows, the last word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from bot.answers.generate import answer_buttons, shown_text
from bot.answers.vote_buttons import vote_buttons
from bot.contracts import QueuePosition
from bot.delivery.message_diff import MessageDiff
from bot.delivery.outbox import Outbox
from bot.message import Place
from bot.ports import AnswerColumn, Outgoing, Reader
from bot.sanitize import escape_markdown, safe_name, shorten_to_line
from bot.store import graph, votes
from bot.store.database import Database
from bot.store.jobs import Job
from bot.store.pictures import PictureFiles
from bot.store.snapshots import AnswerSnapshot, read_snapshot
from bot.store.tables import Finish
from bot.texts import Texts

LEAST_SHOWN_WAIT = 1.5  # seconds; who waits for less sees the answer before they have read about the line
QUOTED = 200  # characters of a question above its answer


@dataclass(frozen=True, slots=True)
class AnswerView:
    """An answer's messages, wherever they are; `answer` as it was stored when the showing began."""

    job: Job
    answer: graph.Answer
    diff: MessageDiff
    outbox: Outbox
    texts: Texts
    standing: votes.Standing
    votes_open: bool  # whether people are asked what they like
    picture: Path | None = None  # of a question that nobody can see

    def show_position(self, place: QueuePosition) -> None:
        """Where it stands, if that is a while off, or was told before."""
        if place.seconds is not None and place.seconds <= LEAST_SHOWN_WAIT and not self.diff.begun:
            return
        language = self.job.settings.language
        if place.seconds is None:
            text = self.texts.render(language, "answer.in_line", count=place.position)
        else:
            text = self.texts.render(language, "answer.in_line_seconds", count=place.position, seconds=max(round(place.seconds), 1))
        self._show(self._headed(Outgoing(text, answer_buttons(None), self.job.answer, language=language)))

    def show_partial(self, text: str, columns: tuple[AnswerColumn, ...]) -> None:
        if text.strip():  # platforms take no message without a word
            self._show(self._message(text, None, columns))

    async def show_typing(self) -> None:
        await self.outbox.show_typing(self.answer.place, self.diff)

    async def finish(self) -> None:
        """The last word; returns when it is shown, or can't be."""
        answer = self.answer
        if answer.finish == Finish.STOPPED and not (answer.text or self.diff.begun):
            self.discard()
            return
        said = shown_text(self.texts, self.job.settings.language, answer.text, answer.finish)
        votes_open = self.votes_open and answer.finish != Finish.FAILED
        actions = vote_buttons(self.job.answer, self.standing, votes_open=votes_open)
        self.diff.end(replace(self._message(said, answer.finish, self.standing.columns), actions=actions))
        await self.outbox.finish_answer(self.job.answer, answer.place)

    def discard(self) -> None:
        """Nothing more of it is to be shown by this bot."""
        self.outbox.discard_answer(self.job.answer, self.answer.place)

    def _message(self, text: str, finish: str | None, columns: tuple[AnswerColumn, ...]) -> Outgoing:
        answer, language = self.answer, self.job.settings.language
        ended = finish is not None
        message = Outgoing(text, answer_buttons(finish), self.job.answer, answer.footer, answer.spoiler, final=ended, language=language)
        reader = Reader(self.job.person.partition(":")[2], "")  # of the key, the platform's id
        return self._headed(replace(message, columns=columns, reader=reader))

    def _headed(self, message: Outgoing) -> Outgoing:
        """Under its question, where nobody can see that: who asked, what, and the picture that it is about."""
        if (quoted := self.answer.quoted) is None:
            return message
        asked = escape_markdown(shorten_to_line(quoted.text or self.texts.render(message.language, "answer.describe"), QUOTED))
        heading = f"> **{escape_markdown(safe_name(quoted.asker))}**: {asked}\n\n"
        # A small picture can't be covered as a spoiler is.
        return replace(message, heading=heading, picture=None if message.spoiler else self.picture)

    def _show(self, message: Outgoing) -> None:
        if self.diff.update(message):
            self.outbox.wake(self.answer.place)


class AnswerViews:
    """Opens views of answers. `demo_runs`: whether a demo runs in a place, so that people vote on its answers."""

    def __init__(self, database: Database, outbox: Outbox, texts: Texts, demo_runs: Callable[[Place], bool], files: PictureFiles) -> None:
        self._database = database
        self._outbox = outbox
        self._texts = texts
        self._demo_runs = demo_runs
        self._files = files

    async def load(self, job: Job, *, busy: bool = True) -> AnswerView | None:
        """None: the question was forgotten. `busy`: it is being worked on, and marked so where the platform can."""
        snapshot = await self._database.read(read_snapshot, job.answer)
        return self.open(job, snapshot, busy=busy) if snapshot else None

    def open(self, job: Job, snapshot: AnswerSnapshot, *, busy: bool = True) -> AnswerView:
        """As `load`, of what was read already."""
        answer, quoted, texts = snapshot.answer, snapshot.answer.quoted, self._texts.on(snapshot.answer.place.platform)
        reply_to = answer.reply_to or (quoted.follows if quoted else None)
        diff = self._outbox.open_answer(job.answer, answer.place, reply_to, snapshot.sent, busy=busy)
        votes_open = self._demo_runs(answer.place)
        picture = self._files.path(quoted.sha256) if quoted and quoted.sha256 else None
        return AnswerView(job, answer, diff, self._outbox, texts, snapshot.standing, votes_open, picture)
