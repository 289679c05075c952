"""Demonstrations and what was shown in them: a demo is a span of time in one channel, and what was asked there then belongs to it.

Functions take the connection of the caller's transaction. Times are Unix seconds.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, func, insert, or_, select, update
from sqlalchemy.orm import aliased

from bot.platform import AnswerColumn
from bot.store import database, graph, votes
from bot.store.tables import DemoRow, Finish, HiddenRow, JobRow, JobState, MessagePictureRow, MessageRow, PersonRow, PlaceRow

CODE_BYTES = 16
EVERYTHING = 100_000  # questions of one demo
RECENT_DEMOS = 20  # walls stay open after their demo until so many others were begun


@dataclass(frozen=True, slots=True)
class Demo:
    """One demonstration; `ended` None: it runs."""

    id: int
    channel: str
    presenter: str
    code: str
    key: str
    prompt: str
    slow_seconds: float
    language: str
    started: float
    ended: float | None


@dataclass(frozen=True, slots=True)
class Shown:
    """A question of a demo with its answer, oldest picture first."""

    answer: int
    question: int
    name: str  # of the person who asked
    asked: str
    text: str
    finish: str | None
    footer: str
    waits: bool
    asked_at: float
    ended_at: float | None
    hidden: bool
    trace: Mapping[str, Any] | None = None  # MessageRow.trace
    pictures: tuple[str, ...] = ()  # sha256


@dataclass(frozen=True, slots=True)
class Entry:
    """A question with its answer, the columns of a comparison, and the votes for each."""

    shown: Shown
    columns: tuple[AnswerColumn, ...]
    votes: Counter[int]

    @property
    def sections(self) -> tuple[AnswerColumn, ...]:
        """What was answered: one section without a label, or the columns."""
        return self.columns or (AnswerColumn("", self.shown.text),)

    @property
    def seconds(self) -> float | None:
        """From the question to its whole answer; None: not answered yet."""
        return None if self.shown.ended_at is None else self.shown.ended_at - self.shown.asked_at


def begin(connection: Connection, channel: str, presenter: str, prompt: str, slow_seconds: float, language: str, at: float) -> Demo:
    """Start a demo; one that runs there already ends."""
    end(connection, channel, at)
    row = {"channel": channel, "presenter": presenter, "prompt": prompt, "slow_seconds": slow_seconds, "language": language}
    codes = {"code": secrets.token_urlsafe(CODE_BYTES), "key": secrets.token_urlsafe(CODE_BYTES)}
    return _demo(connection.execute(insert(DemoRow).values(row | codes | {"started": at}).returning(*_DEMO)).one())


def end(connection: Connection, channel: str, at: float) -> Demo | None:
    """End the demo that runs in a channel, if any."""
    running = and_(DemoRow.channel == channel, DemoRow.ended.is_(None))
    row = connection.execute(update(DemoRow).where(running).values(ended=at).returning(*_DEMO)).first()
    return _demo(row) if row else None


def forget(connection: Connection, presenter: str, at: float) -> None:
    """End what this person presents, and delete what they had asked about pictures, in earlier demos too."""
    theirs = update(DemoRow).where(DemoRow.presenter == presenter)
    connection.execute(theirs.values(prompt="", ended=func.coalesce(DemoRow.ended, at)))


def forget_in(connection: Connection, channel: str) -> None:
    """Delete what was to be asked in a channel's demos of the past."""
    connection.execute(update(DemoRow).where(DemoRow.channel == channel, DemoRow.ended.is_not(None)).values(prompt=""))


def running(connection: Connection) -> tuple[Demo, ...]:
    return tuple(_demo(row) for row in connection.execute(select(*_DEMO).where(DemoRow.ended.is_(None))))


def newest(connection: Connection, channel: str) -> Demo | None:
    """The demo that runs in a channel, or the last one that did."""
    row = connection.execute(select(*_DEMO).where(DemoRow.channel == channel).order_by(DemoRow.id.desc()).limit(1)).first()
    return _demo(row) if row else None


def by_code(connection: Connection, code: str) -> Demo | None:
    recent = select(DemoRow.id).order_by(DemoRow.id.desc()).limit(RECENT_DEMOS)
    row = connection.execute(select(*_DEMO).where(DemoRow.code == code, DemoRow.id.in_(recent))).first()
    return _demo(row) if row else None


def shown(connection: Connection, demo: Demo, limit: int) -> tuple[Shown, ...]:
    """The newest questions of a demo, oldest first. What was sent as a spoiler, or failed, is for no wall."""
    rows: list[Any] = list(reversed(connection.execute(_shown(demo).order_by(MessageRow.id.desc()).limit(limit)).all()))
    pictures = _sights(connection, [row.question for row in rows])
    return tuple(_found(row, pictures.get(row.question, ())) for row in rows)


def entries(connection: Connection, demo: Demo, limit: int = EVERYTHING) -> tuple[Entry, ...]:
    """The newest questions of a demo with columns and votes, oldest first."""
    found = shown(connection, demo, limit)
    standings = votes.standings(connection, [each.answer for each in found])
    return tuple(Entry(each, standings[each.answer].columns, standings[each.answer].votes) for each in found)


def shows_picture(connection: Connection, demo: Demo, sha256: str) -> bool:
    """Whether the picture stands on the demo's wall."""
    found = select(MessageRow.id).join(MessagePictureRow, MessagePictureRow.message == MessageRow.id)
    hidden = or_(HiddenRow.question == MessageRow.id, HiddenRow.question == MessageRow.parent)  # an answer's sheet goes with its question
    found = found.join(PlaceRow, PlaceRow.key == MessageRow.place).outerjoin(HiddenRow, hidden)
    found = found.where(MessagePictureRow.sha256 == sha256, _in_channel(demo), HiddenRow.question.is_(None), ~MessageRow.spoiler)
    return connection.scalar(found.limit(1)) is not None


def hide(connection: Connection, question: int) -> None:
    connection.execute(database.insert(connection.dialect.name, HiddenRow).values(question=question).on_conflict_do_nothing())


def show_again(connection: Connection, question: int) -> None:
    connection.execute(delete(HiddenRow).where(HiddenRow.question == question))


def is_of(connection: Connection, demo: Demo, question: int) -> bool:
    """Whether a question was asked in this demo."""
    statement = select(MessageRow.id).join(PlaceRow, PlaceRow.key == MessageRow.place).where(MessageRow.id == question, _in_channel(demo))
    return connection.scalar(statement.where(_within(demo, MessageRow.at))) is not None


def _demo(row: Any) -> Demo:
    return Demo(*row)


def _found(row: Any, pictures: tuple[str, ...]) -> Shown:
    return replace(Shown(*row), pictures=pictures)


def _shown(demo: Demo) -> Select[*tuple[Any, ...]]:
    question = aliased(MessageRow)
    columns = (MessageRow.id, question.id.label("question"), PersonRow.name, question.text, MessageRow.text, MessageRow.finish)
    more = (MessageRow.footer, (JobRow.state == JobState.WAITING).label("waits"), question.at, JobRow.ended)
    statement: Select[*tuple[Any, ...]] = select(*columns, *more, HiddenRow.question.is_not(None), MessageRow.trace)
    statement = statement.join(JobRow, JobRow.answer == MessageRow.id).join(question, question.id == JobRow.question)
    statement = statement.join(PersonRow, PersonRow.key == MessageRow.person).join(PlaceRow, PlaceRow.key == MessageRow.place)
    statement = statement.outerjoin(HiddenRow, HiddenRow.question == question.id)
    stopped_midway = and_(MessageRow.finish == Finish.STOPPED, MessageRow.text != "")
    said = or_(MessageRow.finish.is_(None), MessageRow.finish.in_((Finish.STOP, Finish.LENGTH)), stopped_midway)
    return statement.where(_in_channel(demo), _within(demo, MessageRow.at), ~MessageRow.spoiler, said)


def _in_channel(demo: Demo) -> ColumnElement[bool]:
    platform, _, channel = demo.channel.partition(":")
    return and_(PlaceRow.platform == platform, PlaceRow.channel == channel)


def _within(demo: Demo, at: ColumnElement[float] | Any) -> ColumnElement[bool]:
    since: ColumnElement[bool] = at >= demo.started
    return since if demo.ended is None else and_(since, at < demo.ended)


def _sights(connection: Connection, questions: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """The pictures that each question is about: its own, else the newest ones of its conversation before it.

    Two queries for all: a wall asks several times a second.
    """
    found = graph.pictures_of(connection, questions)
    without = select(MessageRow.id, MessageRow.conversation).where(MessageRow.id.in_([each for each in questions if each not in found]))
    conversations = dict(connection.execute(without).all())
    shown = select(MessageRow.conversation, MessageRow.id).join(MessagePictureRow, MessagePictureRow.message == MessageRow.id)
    shown = shown.where(MessageRow.conversation.in_(set(conversations.values())), MessagePictureRow.region.is_(None)).distinct()
    showing = [(conversation, message) for conversation, message in connection.execute(shown.order_by(MessageRow.id))]
    nearest = {
        question: max((message for key, message in showing if key == conversation and message < question), default=0)
        for question, conversation in conversations.items()
    }
    pictures = graph.pictures_of(connection, sorted(set(nearest.values())))
    return found | {question: pictures.get(message, ()) for question, message in nearest.items()}


_DEMO = (
    DemoRow.id,
    DemoRow.channel,
    DemoRow.presenter,
    DemoRow.code,
    DemoRow.key,
    DemoRow.prompt,
    DemoRow.slow_seconds,
    DemoRow.language,
    DemoRow.started,
    DemoRow.ended,
)
