"""The job queue in the database: each job is one answer to make and deliver, and survives a kill of the bot or of an engine.

A job is its owner's by a lease: the owner's heartbeat, by the database's clock. Bots that claim at the same time pass over rows that
another has just locked (SKIP LOCKED; SQLite has one writer at a time anyway).
Functions take the connection of the caller's transaction, so that a question and its job are stored together.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Double, and_, bindparam, case, func, insert, or_, select, update
from sqlalchemy.orm import aliased

from bot.answer_settings import AnswerSettings, Memory, VariedSetting
from bot.message import Place
from bot.platform import AnswerColumn
from bot.store import graph, votes
from bot.store.database import DatabaseTime
from bot.store.database import insert as insert_or_update
from bot.store.graph import NewMessage, Node
from bot.store.tables import BotRow, Finish, JobRow, JobState, MessageRow

OPEN = (JobState.WAITING, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class NewJob:
    """An answer to make. `cost` is in tokens, prompt and answer, beams counted n-fold; `owner`: the bot that was asked.

    `asked_at`, in Unix seconds: when the question came, `waited` seconds ago, to continue the conversation from this answer unless a newer
    one is stored already; None: the conversation was reset meanwhile.
    """

    question: Node
    place: Place
    person: str
    settings: AnswerSettings
    cost: int
    owner: str
    varied: VariedSetting | None = None
    footer: str = ""
    asked_at: float | None = None
    waited: float = 0.0

    @property
    def rows(self) -> int:
        return sum(settings.beams or 1 for settings in (self.varied.each(self.settings) if self.varied else (self.settings,)))


def name_of(job: int) -> str:
    """The name of the job of this number in the logs, the engine's among them."""
    return f"job-{job}"


@dataclass(frozen=True, slots=True)
class WaitingJob:
    """A waiting job, with what the fair queue needs."""

    id: int
    answer: int
    channel: str  # key; so is `person`
    person: str
    cost: int
    rows: int  # that it takes on an engine: its beams

    @property
    def name(self) -> str:
        return name_of(self.id)


@dataclass(frozen=True, slots=True)
class Job:
    """A job that this bot runs or delivers."""

    id: int
    answer: int
    question: int
    place: str
    person: str
    settings: AnswerSettings
    attempts: int
    varied: VariedSetting | None = None
    asked: float = 0.0  # when it was stored, in Unix seconds

    @property
    def name(self) -> str:
        return name_of(self.id)


@dataclass(frozen=True, slots=True)
class BegunAnswer:
    """An answer that is being made, or was made a moment ago."""

    job: int
    answer: int


@dataclass(frozen=True, slots=True)
class QueueLoad:
    """How many jobs wait or run when a question is asked, itself not counted."""

    mine: int  # this person's, everywhere
    overall: int


def enqueue(connection: Connection, job: NewJob, at: float) -> WaitingJob | None:
    """Store an answer without a text, and the job that is going to fill it. None: the answer was not stored."""
    question, place = job.question, job.place.key
    spoiler = question.spoiler
    unwritten = NewMessage(
        place, None, question.id, question.conversation, job.person, "assistant", "", at, spoiler=spoiler, footer=job.footer
    )
    answer = graph.add(connection, unwritten)
    if answer is None:
        return None
    row = {
        "answer": answer,
        "question": question.id,
        "platform": job.place.platform,
        "place": place,
        "channel": job.place.channel_key,
        "person": job.person,
        "state": JobState.WAITING,
        "cost": job.cost,
        "beams": job.rows,
        "varied": asdict(job.varied) if job.varied else None,
        "settings": asdict(job.settings),
        "attempts": 0,
        "owner": job.owner,
        "cancelled": False,
        "at": at,
    }
    number = connection.execute(_ENQUEUE, row).scalar_one()
    if job.asked_at is not None:
        graph.point(connection, place, (graph.SHARED, job.person), answer, job.asked_at, job.waited)
    return WaitingJob(number, answer, job.place.channel_key, job.person, job.cost, job.rows)


def load(connection: Connection, person: str) -> QueueLoad:
    """How many jobs wait or run: of this person, and of all."""
    overall, mine = connection.execute(_LOAD, {"whose": person}).one()
    return QueueLoad(mine, overall)


def fetchable(connection: Connection, platforms: Collection[str], owner: str, dead_after: float) -> tuple[WaitingJob, ...]:
    """Each person's oldest job in each channel, if it can start: the answer that its question follows is finished, and it is this
    bot's, or of a bot that has been dead for `dead_after` seconds. Another living bot's holds up those behind it: they were asked later.
    """
    given = {"here": list(platforms), "me": owner, "dead_after": dead_after}
    return tuple(WaitingJob(*row) for row in connection.execute(_FETCHABLE, given))


def fetchable_and_rest(connection: Connection, platforms: Collection[str], owner: str, dead_after: float) -> tuple[list[WaitingJob], bool]:
    """As `fetchable`; and whether other jobs wait behind those."""
    found = fetchable(connection, platforms, owner, dead_after)
    return list(found), count_waiting(connection) > len(found)


def count_waiting(connection: Connection) -> int:
    """How many jobs wait, on all platforms."""
    return connection.scalar(_WAITING) or 0


def all_waiting(connection: Connection) -> tuple[WaitingJob, ...]:
    """All waiting jobs, oldest first."""
    return tuple(WaitingJob(*row) for row in connection.execute(_QUEUE.where(JobRow.state == JobState.WAITING)))


def fetch_job(connection: Connection, job: int, owner: str, at: float) -> Job | None:
    """Move a job from waiting to running; None: another bot took it, it was stopped, or the answer that its question follows is not
    finished."""
    row = connection.execute(_FETCH, {"job": job, "me": owner, "now": at}).first()
    return _job(row) if row else None


@dataclass(frozen=True, slots=True)
class Renewal:
    """What a bot learns when it says that it lives."""

    stopped: frozenset[int]  # its running jobs that somebody asked to stop
    recovered: int  # jobs that were put back, since nobody runs them
    undelivered: tuple[Job, ...]  # answered jobs that are its own to deliver


def renew(connection: Connection, owner: str, platforms: Collection[str], held: Collection[int], dead_after: float) -> Renewal:
    """Renew the owner's lease on its jobs, and take over what is nobody's: `held` are the jobs that it really runs.

    `dead_after`: seconds without a heartbeat after which a bot is taken for dead; infinite: nobody is, just now.
    """
    stopped = heartbeat(connection, owner, platforms)
    recovered = prune_stalled_workers(connection, dead_after, owner, held)
    return Renewal(stopped, recovered, undelivered(connection, platforms, owner, dead_after))


def heartbeat(connection: Connection, owner: str, platforms: Collection[str]) -> frozenset[int]:
    """Store that the owner lives and serves these platforms; the ids of its running jobs that somebody asked to stop.

    What it has on others is let go: a bot that is connected there may take it over. On SQLite there are no others to tell, and an idle bot
    writes nothing.
    """
    if connection.dialect.name != "sqlite":
        alive = insert_or_update(connection.dialect.name, BotRow).values(name=owner, heartbeat=DatabaseTime())
        connection.execute(alive.on_conflict_do_update(index_elements=["name"], set_={"heartbeat": DatabaseTime()}))
    mine = and_(JobRow.owner == owner, JobRow.state.in_((*OPEN, JobState.ANSWERED)))
    connection.execute(update(JobRow).where(mine, JobRow.platform.in_(platforms)).values(heartbeat=DatabaseTime()))
    stopped = connection.scalars(select(JobRow.id).where(mine, JobRow.state == JobState.RUNNING, JobRow.cancelled))
    return frozenset(stopped)


def prune_stalled_workers(connection: Connection, dead_after: float, owner: str, held: Collection[int] = ()) -> int:
    """Put back running jobs that nobody runs: of dead bots, and of this bot all but `held`; how many."""
    unheld = and_(JobRow.owner == owner, JobRow.id.not_in(held))
    lost = _free(and_(JobRow.state == JobState.RUNNING, or_(unheld, _dead(dead_after))))
    back = {"state": JobState.WAITING, "attempts": JobRow.attempts + 1}
    return connection.execute(update(JobRow).where(lost).values(back)).rowcount


def hand_back(connection: Connection, owner: str) -> int:
    """Let any bot have the open jobs of this one, which stops; how many. None of it counts as an attempt."""
    mine = and_(JobRow.owner == owner, JobRow.state.in_((JobState.WAITING, JobState.RUNNING)))
    return connection.execute(update(JobRow).where(mine).values(state=JobState.WAITING, owner=None)).rowcount


def retry_job(connection: Connection, job: Job, owner: str) -> None:
    """Put a running job back, because its engine does not answer or broke off in the middle."""
    mine = and_(JobRow.id == job.id, JobRow.state == JobState.RUNNING, JobRow.owner == owner)
    connection.execute(update(JobRow).where(mine).values(state=JobState.WAITING))


def save_answer(
    connection: Connection, job: Job, owner: str, text: str, finish: Finish, footer: str, at: float, columns: Sequence[AnswerColumn] = ()
) -> bool:
    """Store a finished answer and move its job from running to answered; False: the job is not ours any more (taken over, or deleted)."""
    ours = connection.execute(_SAVED, {"job": job.id, "me": owner, "now": at}).rowcount == 1
    if ours:
        connection.execute(_SAY, {"answer": job.answer, "said": text, "how": finish, "below": footer})
        votes.keep_columns(connection, job.answer, columns)
    return ours


def undelivered(connection: Connection, platforms: Collection[str], owner: str, dead_after: float) -> tuple[Job, ...]:
    """The answered jobs that are not delivered: of this bot, and of dead ones, which it takes over."""
    owed = _free(and_(JobRow.state == JobState.ANSWERED, JobRow.platform.in_(platforms), or_(JobRow.owner == owner, _dead(dead_after))))
    statement = update(JobRow).where(owed).values(owner=owner, heartbeat=DatabaseTime()).returning(*_JOB)
    return tuple(sorted((_job(row) for row in connection.execute(statement)), key=lambda job: job.id))


@dataclass(frozen=True, slots=True)
class OwnersLoad:
    """What a living bot has in the queue: people who wait or are answered, and the rows that their jobs take or would take."""

    people: int
    rows: int


def loads(connection: Connection, dead_after: float) -> dict[str, OwnersLoad]:
    """What each living bot on this database has in the queue, by its name."""
    living = and_(JobRow.state.in_(OPEN), JobRow.owner.is_not(None), JobRow.heartbeat >= DatabaseTime() - dead_after)
    counted = select(JobRow.owner, func.count(JobRow.person.distinct()), func.sum(JobRow.beams)).where(living).group_by(JobRow.owner)
    return {str(owner): OwnersLoad(people, rows) for owner, people, rows in connection.execute(counted)}


def finish_jobs(connection: Connection, jobs: Collection[int]) -> None:
    """Move jobs from answered to done: the end of each answer is shown, or can't be."""
    if jobs:
        connection.execute(_FINISH, {"jobs": list(jobs)})


def cancel_jobs(connection: Connection, answers: Sequence[int], owner: str) -> tuple[frozenset[int], tuple[Job, ...]]:
    """Stop waiting and running jobs. The ids of the running ones, which their owner still has to stop; and the waiting ones, which are
    answered now, for this bot to deliver."""
    chosen = JobRow.answer.in_(answers)
    over = {"state": JobState.ANSWERED, "owner": owner, "heartbeat": DatabaseTime()}
    waited = update(JobRow).where(chosen, JobRow.state == JobState.WAITING).values(over).returning(*_JOB)
    stopped = tuple(_job(row) for row in connection.execute(waited))
    unsaid = MessageRow.id.in_([job.answer for job in stopped])
    connection.execute(update(MessageRow).where(unsaid).values(finish=Finish.STOPPED))
    running = update(JobRow).where(chosen, JobRow.state == JobState.RUNNING).values(cancelled=True)
    return frozenset(connection.scalars(running.returning(JobRow.id))), stopped


def waits(connection: Connection, question: int) -> bool:
    """Whether an answer to this question waits."""
    return connection.scalar(select(JobRow.id).where(JobRow.question == question, JobRow.state == JobState.WAITING)) is not None


def is_open(connection: Connection, question: int) -> bool:
    """Whether an answer to this question waits or is being made."""
    return connection.scalar(select(JobRow.id).where(JobRow.question == question, JobRow.state.in_(OPEN))) is not None


def begun(connection: Connection, question: int, since: float) -> tuple[BegunAnswer, ...]:
    """The answers to this question that were started after `since` (Unix seconds), and that no message follows."""
    child = aliased(MessageRow)
    followed = select(child.id).where(child.parent == JobRow.answer).exists()
    lately = and_(JobRow.question == question, JobRow.state != JobState.WAITING, JobRow.started >= since)
    return tuple(BegunAnswer(*row) for row in connection.execute(select(JobRow.id, JobRow.answer).where(lately, ~followed)))


def unfinished(
    connection: Connection,
    *,
    answers: Collection[int] | None = None,
    places: Collection[str] | None = None,
    person: str | None = None,
    conversation: str | None = None,
) -> tuple[int, ...]:
    """The answers that wait or are being made, oldest first. Each argument that is given narrows them down: to some of these answers,
    to these places, to what one person asked (their key), to one conversation."""
    found = select(JobRow.answer).where(JobRow.state.in_(OPEN))
    if answers is not None:
        found = found.where(JobRow.answer.in_(answers))
    if places is not None:
        found = found.where(JobRow.place.in_(places))
    if person is not None:
        found = found.where(JobRow.person == person)
    if conversation is not None:
        found = found.join(MessageRow, MessageRow.id == JobRow.answer).where(MessageRow.conversation == conversation)
    return tuple(connection.scalars(found.order_by(JobRow.id)))


def waiting_for(connection: Connection, answer: int, owner: str, platforms: Collection[str]) -> Job | None:
    """The job of an answer, if it waits, this bot owns it, and it is of one of these platforms."""
    mine = and_(JobRow.owner == owner, JobRow.platform.in_(platforms))
    waits = and_(JobRow.answer == answer, JobRow.state == JobState.WAITING, mine)
    row = connection.execute(select(*_JOB).where(waits)).first()
    return _job(row) if row else None


def job_of(connection: Connection, answer: int) -> Job | None:
    """The job of an answer, whatever its state."""
    row = connection.execute(select(*_JOB).where(JobRow.answer == answer)).first()
    return _job(row) if row else None


def _dead(seconds: float) -> ColumnElement[bool]:
    """Whether a job's owner has said nothing for so long."""
    return JobRow.heartbeat < DatabaseTime() - seconds


def _free(which: ColumnElement[bool]) -> ColumnElement[bool]:
    """The jobs for which this holds, without those that another transaction has locked: it is about to change them."""
    job = select(JobRow.id).where(which).with_for_update(skip_locked=True)
    return JobRow.id.in_(job.correlate(None))


# Built once: for a question, building statements would take longer than running them.
_ENQUEUE = insert(JobRow).values(heartbeat=DatabaseTime()).returning(JobRow.id)
_MINE = func.coalesce(func.sum(case((JobRow.person == bindparam("whose"), 1), else_=0)), 0)
_LOAD = select(func.count(), _MINE).where(or_(*(JobRow.state == state for state in OPEN)))
_JOB = (JobRow.id, JobRow.answer, JobRow.question, JobRow.place, JobRow.person, JobRow.settings, JobRow.attempts, JobRow.varied, JobRow.at)
_QUEUE = select(JobRow.id, JobRow.answer, JobRow.channel, JobRow.person, JobRow.cost, JobRow.beams).order_by(JobRow.id)
_WAITING = select(func.count()).where(JobRow.state == JobState.WAITING)
_ASKED, _BEFORE = aliased(MessageRow), aliased(MessageRow)
_UNFINISHED = and_(_ASKED.id == JobRow.question, _BEFORE.role == "assistant", _BEFORE.finish.is_(None))
_FOLLOWS_UNFINISHED = select(_ASKED.id).join(_BEFORE, _BEFORE.id == _ASKED.parent).where(_UNFINISHED).correlate(JobRow).exists()
# An earlier answer to the same person here is another bot's to show: until it is shown, the next one would stand before it.
_EARLIER = aliased(JobRow)
_BEFORE_IT = and_(_EARLIER.channel == JobRow.channel, _EARLIER.person == JobRow.person, _EARLIER.id < JobRow.id)
_OTHERS = and_(_EARLIER.state.in_((JobState.RUNNING, JobState.ANSWERED)), _EARLIER.owner != bindparam("me"))
_OVERTAKES = select(_EARLIER.id).where(_BEFORE_IT, _OTHERS).correlate(JobRow).exists()
_FETCHABLE = _QUEUE.where(
    ~_OVERTAKES,
    JobRow.id.in_(
        select(func.min(JobRow.id))
        .where(JobRow.state == JobState.WAITING, JobRow.platform.in_(bindparam("here", expanding=True)), ~_FOLLOWS_UNFINISHED)
        .group_by(JobRow.channel, JobRow.person)
        .correlate(None)
    ),
).where(
    or_(JobRow.owner == bindparam("me"), JobRow.owner.is_(None), JobRow.heartbeat < DatabaseTime() - bindparam("dead_after", type_=Double))
)
_FETCH = (
    update(JobRow)
    .where(_free(and_(JobRow.id == bindparam("job"), JobRow.state == JobState.WAITING, ~_FOLLOWS_UNFINISHED, ~_OVERTAKES)))
    .values(state=JobState.RUNNING, owner=bindparam("me"), heartbeat=DatabaseTime(), started=bindparam("now"))
    .returning(*_JOB)
)
_SAVED = (
    update(JobRow)
    .where(JobRow.id == bindparam("job"), JobRow.state == JobState.RUNNING, JobRow.owner == bindparam("me"))
    .values(state=JobState.ANSWERED, cancelled=False, ended=bindparam("now"))
)
_SAY = (
    update(MessageRow)
    .where(MessageRow.id == bindparam("answer"))
    .values(text=bindparam("said"), finish=bindparam("how"), footer=bindparam("below"))
)
_FINISH = update(JobRow).where(JobRow.id.in_(bindparam("jobs", expanding=True))).values(state=JobState.DONE)


def _job(row: Any) -> Job:
    job = Job(*row)
    raw: dict[str, Any] = row.settings
    varied = VariedSetting(row.varied["setting"], tuple(row.varied["values"])) if row.varied else None
    return replace(job, settings=AnswerSettings(**raw | {"memory": Memory(raw["memory"])}), varied=varied)
