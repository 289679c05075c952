"""Questions of ten channels while bot and engine are killed at random moments: every one is answered, once, in its order."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Self

import pytest
from aiohttp import web
from aiohttp.test_utils import unused_port

CHANNELS = 10
ROOT = Path(__file__).parents[2]


@dataclass
class Shown:
    channel: str
    text: str
    final: bool
    reply_to: str | None


@dataclass
class ChatServer:
    """The chat, which outlives the bot: what was asked, and what people see."""

    questions: list[dict[str, str]] = field(default_factory=list)
    shown: dict[str, Shown] = field(default_factory=dict)

    def routes(self) -> list[web.RouteDef]:
        return [web.post(f"/{method.__name__}", method) for method in (self.send, self.edit, self.delete, self.updates)]

    async def send(self, request: web.Request) -> web.Response:
        body = await request.json()
        await asyncio.sleep(0.01)  # a network: a kill may fall before or after the message is taken
        name = f"b{len(self.shown)}"
        self.shown[name] = Shown(body["channel"], body["text"], body["final"], body["reply_to"])
        await asyncio.sleep(0.01)
        return web.json_response({"id": name})

    async def edit(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body["id"] not in self.shown:
            raise web.HTTPNotFound
        message = self.shown[body["id"]]
        message.text, message.final = body["text"], body["final"]
        return web.json_response({})

    async def delete(self, request: web.Request) -> web.Response:
        del self.shown[(await request.json())["id"]]
        return web.json_response({})

    async def updates(self, request: web.Request) -> web.Response:
        confirmed = (await request.json())["confirmed"]
        new = [question for question in self.questions if int(question["id"]) > confirmed]
        await asyncio.sleep(0 if new else 0.02)
        return web.json_response({"updates": new})

    def answered(self) -> Counter[str | None]:
        """By question: how many final answers."""
        return Counter(message.reply_to for message in self.shown.values() if message.final)

    def orphans(self) -> int:
        return sum(not message.final for message in self.shown.values())


class Program:
    """A process of ours: killed and started again at will. `async with` it, and nothing of it stays behind."""

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self.kills = 0

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(sys.executable, "-m", *self._arguments, cwd=ROOT)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def restart(self) -> None:
        if self._process.returncode is not None:
            pytest.fail(f"{self._arguments[0]} ended by itself")
        await self.__aexit__()
        self.kills += 1
        await self.__aenter__()


@asynccontextmanager
async def serving(chat: ChatServer) -> AsyncIterator[str]:
    application = web.Application()
    application.add_routes(chat.routes())
    runner = web.AppRunner(application)
    await runner.setup()
    port = unused_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://127.0.0.1:{port}"
    await runner.cleanup()


async def ask(chat: ChatServer, draw: random.Random, questions: int) -> None:
    """In each channel a conversation of questions that do not wait for their answers."""
    for number in range(questions):
        channel = f"channel{number % CHANNELS}"
        question = {"id": str(number + 1), "channel": channel, "person": f"person{draw.randrange(30)}", "text": f"question {number + 1}"}
        chat.questions.append(question)
        await asyncio.sleep(draw.expovariate(questions / 7))


async def kill_at_random(programs: Sequence[Program], draw: random.Random, kills: int) -> None:
    """In turns, at random moments."""
    for program in islice(cycle(programs), kills):
        await asyncio.sleep(draw.uniform(0.8, 3.0))
        await program.restart()


async def until_answered(chat: ChatServer, questions: int) -> None:
    async with asyncio.timeout(90):
        while len(chat.answered()) < questions:  # noqa: ASYNC110  # another process decides
            await asyncio.sleep(0.1)


@pytest.mark.parametrize(("questions", "kills"), [(80, 6), pytest.param(200, 10, marks=pytest.mark.sweep)])
async def test_every_question_is_answered_once_and_in_order(tmp_path: Path, questions: int, kills: int) -> None:
    draw, chat = random.Random(20261122), ChatServer()
    port = unused_port()
    async with (
        serving(chat) as chat_url,
        Program("tests.end_to_end.stand_in_engine", str(port)) as engine,
        Program("tests.end_to_end.loopback_bot", str(tmp_path), chat_url, f"http://127.0.0.1:{port}") as bot,
    ):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(ask(chat, draw, questions))
            tasks.create_task(kill_at_random([engine, bot], draw, kills))
        await until_answered(chat, questions)

    assert chat.answered() == Counter(question["id"] for question in chat.questions)
    assert [message.text.split(" with ")[0] for message in finals(chat)] == expected(chat)
    # A kill can cut off one send in each channel; what is repeated for it is counted, and nothing else is shown twice.
    assert chat.orphans() <= only(tmp_path, "SELECT sum(repeats) FROM delivery") <= bot.kills * CHANNELS
    assert only(tmp_path, "PRAGMA integrity_check") == "ok"
    assert only(tmp_path, "SELECT count(*) FROM message WHERE role = 'assistant' AND finish = 'stop'") == questions
    assert bot.kills == engine.kills == kills // 2


def finals(chat: ChatServer) -> list[Shown]:
    return sorted((message for message in chat.shown.values() if message.final), key=lambda message: int(message.reply_to or 0))


def expected(chat: ChatServer) -> list[str]:
    """The n-th question of a channel sees the n - 1 answers before it."""
    return [f"Answer {number // CHANNELS + 1} to {question['text']}" for number, question in enumerate(chat.questions)]


def only(home: Path, query: str) -> Any:
    with sqlite3.connect(home / "gander.db") as connection:
        found = connection.execute(query).fetchone()[0]
    connection.close()
    return found
