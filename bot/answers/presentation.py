"""What people see of a job: their place in line, the answer as it grows, the last word."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection

from bot.answers.generate import buttons, words
from bot.answers.vote_buttons import ballot
from bot.contracts import InLine, Texts
from bot.delivery.edit_scheduler import Display
from bot.delivery.outbox import Outbox
from bot.demo.presenting import Presenting
from bot.ports import Outgoing, Reader, Section
from bot.sanitize import called, in_short, plainly
from bot.store import deliveries, graph, votes
from bot.store.database import Database
from bot.store.deliveries import Delivery
from bot.store.jobs import Job
from bot.store.pictures import PictureFiles
from bot.store.tables import Finish

WORTH_TELLING = 1.5  # seconds; who waits for less sees the answer before they have read about the line
QUOTED = 200  # characters of a question above its answer
NOTHING = votes.Standing((), Counter())  # of an answer that is not finished


@dataclass(frozen=True, slots=True)
class Scene:
    """What the store knows of an answer that is to be shown."""

    answer: graph.Answer
    standing: votes.Standing
    sent: tuple[Delivery, ...]


def read_scene(connection: Connection, number: int) -> Scene | None:
    """None: the answer was forgotten."""
    answer = graph.answer(connection, number)
    if answer is None:
        return None
    standing = NOTHING if answer.finish is None else votes.standing(connection, number)
    return Scene(answer, standing, deliveries.parts(connection, number))


@dataclass(frozen=True, slots=True)
class Showing:
    """An answer's messages, wherever they are; `answer` as it was stored when the showing began."""

    job: Job
    answer: graph.Answer
    display: Display
    outbox: Outbox
    texts: Texts
    standing: votes.Standing
    liked_here: bool  # whether people are asked what they like
    picture: Path | None = None  # of a question that nobody can see

    def in_line(self, place: InLine) -> None:
        """Where it stands, if that is a while off, or was told before."""
        if place.seconds is not None and place.seconds <= WORTH_TELLING and not self.display.begun:
            return
        language = self.job.knobs.language
        if place.seconds is None:
            text = self.texts.say(language, "answer.in_line", count=place.position)
        else:
            text = self.texts.say(language, "answer.in_line_seconds", count=place.position, seconds=max(round(place.seconds), 1))
        self._show(self._headed(Outgoing(text, buttons(None), self.job.answer, language=language)))

    def grown(self, text: str, columns: tuple[Section, ...]) -> None:
        if text.strip():  # platforms take no message without a word
            self._show(self._message(text, None, columns))

    async def type(self) -> None:
        await self.outbox.type(self.answer.place, self.display)

    async def end(self) -> None:
        """The last word; returns when it is shown, or can't be."""
        answer = self.answer
        if answer.finish == Finish.STOPPED and not (answer.text or self.display.begun):
            self.discard()
            return
        said = words(self.texts, self.job.knobs.language, answer.text, answer.finish)
        liked_here = self.liked_here and answer.finish != Finish.FAILED
        actions = ballot(self.job.answer, self.standing, liked_here=liked_here)
        self.display.end(replace(self._message(said, answer.finish, self.standing.columns), actions=actions))
        await self.outbox.finish(self.job.answer, answer.place)

    def discard(self) -> None:
        """Nothing more of it is to be shown by this bot."""
        self.outbox.discard(self.job.answer, self.answer.place)

    def _message(self, text: str, finish: str | None, columns: tuple[Section, ...]) -> Outgoing:
        answer, language = self.answer, self.job.knobs.language
        ended = finish is not None
        message = Outgoing(text, buttons(finish), self.job.answer, answer.footer, answer.spoiler, final=ended, language=language)
        reader = Reader(self.job.person.partition(":")[2], "")  # of the key, the platform's id
        return self._headed(replace(message, columns=columns, reader=reader))

    def _headed(self, message: Outgoing) -> Outgoing:
        """Under its question, where nobody can see that: who asked, what, and the picture that it is about."""
        if (quoted := self.answer.quoted) is None:
            return message
        asked = plainly(in_short(quoted.text or self.texts.say(message.language, "answer.describe"), QUOTED))
        heading = f"> **{plainly(called(quoted.asker))}**: {asked}\n\n"
        # A small picture can't be covered as a spoiler is.
        return replace(message, heading=heading, picture=None if message.spoiler else self.picture)

    def _show(self, message: Outgoing) -> None:
        if self.display.show(message):
            self.outbox.changed(self.answer.place)


class Stage:
    """Opens showings."""

    def __init__(self, database: Database, outbox: Outbox, texts: Texts, presenting: Presenting, files: PictureFiles) -> None:
        self._database = database
        self._outbox = outbox
        self._texts = texts
        self._presenting = presenting
        self._files = files

    async def show(self, job: Job, *, busy: bool = True) -> Showing | None:
        """None: the question was forgotten. `busy`: it is being worked on, and marked so where the platform can."""
        scene = await self._database.read(read_scene, job.answer)
        return self.open(job, scene, busy=busy) if scene else None

    def open(self, job: Job, scene: Scene, *, busy: bool = True) -> Showing:
        """As `show`, of what was read already."""
        answer, quoted, texts = scene.answer, scene.answer.quoted, self._texts.on(scene.answer.place.platform)
        reply_to = answer.reply_to or (quoted.follows if quoted else None)
        display = self._outbox.begin(job.answer, answer.place, reply_to, scene.sent, busy=busy)
        liked_here = self._presenting.running(answer.place) is not None
        picture = self._files.path(quoted.sha256) if quoted and quoted.sha256 else None
        return Showing(job, answer, display, self._outbox, texts, scene.standing, liked_here, picture)
