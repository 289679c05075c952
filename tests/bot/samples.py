"""Places, people and messages that the bot's tests share."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from sqlalchemy import Connection

from bot.answer_settings import AnswerSettings
from bot.message import Author, Picture, Place
from bot.store import graph, jobs
from bot.store.database import Database
from bot.store.jobs import WaitingJob

PLACE = Place("web", "garden", server="club")
ANN = Author("web", "ann", "Ann")
BEN = Author("web", "ben", "Ben")


def picture(content: bytes = b"a goose") -> Picture:
    return Picture(hashlib.sha256(content).hexdigest(), content, "image/png", 3, 2)


def add_message(
    connection: Connection,
    text: str,
    *,
    parent: int | None = None,
    author: Author = ANN,
    platform_id: str | None = None,
    pictures: tuple[Picture, ...] = (),
    at: float = 0.0,
) -> int:
    graph.introduce(connection, PLACE, author)
    graph.add_pictures(connection, pictures, at)
    shown = tuple(p.sha256 for p in pictures)
    new = graph.add(connection, graph.NewMessage(PLACE.key, platform_id, parent, "c", author.key, "user", text, at, shown))
    if new is None:
        raise LookupError(f"{id} is stored already")
    return new


def add_answer(connection: Connection, question: int, *, author: Author = ANN, at: float = 0.0) -> int:
    answer = graph.add(connection, graph.NewMessage(PLACE.key, None, question, "c", author.key, "assistant", "", at))
    if answer is None:
        raise LookupError("an answer without a platform's id is never a duplicate")
    return answer


async def ask(
    database: Database,
    text: str,
    *,
    parent: int | None = None,
    author: Author = ANN,
    place: Place = PLACE,
    cost: int = 100,
    owner: str = "me",
) -> jobs.WaitingJob:
    """Store a question with its answer to come and its job."""

    def work(connection: Connection) -> jobs.WaitingJob:
        question = add_message(connection, text, parent=parent, author=author)
        graph.introduce(connection, place, author)
        node = graph.Node(question, "c", author.key, False)
        job = jobs.enqueue(connection, jobs.NewJob(node, place, author.key, replace(AnswerSettings(), beams=2), cost, owner), at=0.0)
        return next(waiting for waiting in jobs.all_waiting(connection) if waiting == job)

    return await database.write(work)


def waiting(number: int, cost: int = 300, rows: int = 1, person: str = "ann") -> WaitingJob:
    return WaitingJob(number, number, "c", person, cost, rows)
