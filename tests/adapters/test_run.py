"""`gander run` as an operator meets it: a real process, its configuration, its signals, and parts that fail and are started again."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adapters import run
from adapters.__main__ import app
from bot.errors import ConfigError, DeliveryError
from tests.adapters.standin import StandIn
from tests.adapters.web.browserless import Visitor

Process = asyncio.subprocess.Process


def write_config(home: Path, text: str) -> Path:
    file = home / "gander.toml"
    file.write_text(text)
    return file


async def start(home: Path, config: Path) -> Process:
    arguments = (sys.executable, "-P", "-m", "adapters", "run", "--config", str(config))
    environ = os.environ | {"GANDER_HOME": str(home)}
    return await asyncio.create_subprocess_exec(*arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environ)


@asynccontextmanager
async def gander(home: Path, config: Path) -> AsyncIterator[tuple[Process, str]]:
    """The running process and the address of its page."""
    process = await start(home, config)
    try:
        yield process, await address(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def address(process: Process) -> str:
    assert process.stderr is not None
    async for line in process.stderr:
        if found := re.search(rb"open at (http://\S+)", line):
            return found[1].decode()
    raise AssertionError("it ended before the page was open")


async def final(visitor: Visitor) -> str:
    async with visitor.events() as events:
        async for event in events:
            data = event["data"]
            if event["event"] == "message" and data["role"] == "bot" and data["final"] and not data.get("aside"):
                return str(data["text"])
    raise AssertionError("the stream ended without an answer")


async def test_it_serves_the_page_on_anyones_openai_server(tmp_path: Path) -> None:
    standin = StandIn(strict=True)
    async with standin.serving() as url:
        config = write_config(tmp_path, f'[engine]\nurl = "{url}/v1"\n[web]\nport = 0\n')
        async with gander(tmp_path, config) as (_, page), Visitor(page) as visitor:
            await visitor.ask("How many geese?")
            assert await final(visitor) == "One goose."
            session = await visitor.session()
            async with visitor.http.get(f"{page}/metrics") as metrics:
                counted = set((await metrics.text()).splitlines())
    assert (session["engine"]["model"], session["settings"]["missing"]) == ("stand-in", ["beams"])
    assert {
        'gander_answers_total{finish="stop",platform="web"} 1.0',
        f'gander_engine_ready{{engine="{url}"}} 1.0',
        'gander_platform_connected{platform="web"} 1.0',
        "gander_questions_waiting 0.0",
    } <= counted
    assert standin.requests[0]["model"] == "stand-in"
    assert standin.requests[0]["messages"][-1]["content"] == "How many geese?"


async def test_a_second_demo_says_at_once_where_the_page_is(tmp_path: Path) -> None:
    async with StandIn().serving() as url:
        config = write_config(tmp_path, f'[engine]\nurl = "{url}"\n[web]\nport = 0\n')
        async with gander(tmp_path, config) as (_, page):
            arguments = (sys.executable, "-P", "-m", "adapters", "demo")
            environ = {name: value for name, value in os.environ.items() if name != "DISPLAY"} | {"GANDER_HOME": str(tmp_path)}
            second = await asyncio.create_subprocess_exec(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ)
            said, complaints = await second.communicate()
    assert (second.returncode, complaints) == (0, b"")
    assert said.decode() == f"Gander serves from {tmp_path} already. Its page is open at {page}\n"


async def test_a_stop_lets_a_short_answer_finish_and_is_quick(tmp_path: Path) -> None:
    standin = StandIn(words=tuple(f"{number} " for number in range(10)), pause=0.1)
    async with standin.serving() as url:
        config = write_config(tmp_path, f'[engine]\nurl = "{url}"\n[web]\nport = 0\n')
        async with gander(tmp_path, config) as (process, page), Visitor(page) as visitor:
            await visitor.ask("Count")
            await standin.asked.wait()
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 60) == 0
        async with gander(tmp_path, config) as (_, page), Visitor(page, like=visitor) as again:
            remembered = (await again.get("/api/messages"))["messages"]
    assert len(standin.requests) == 1
    assert remembered[-1]["text"].split() == [str(number) for number in range(10)]


async def test_a_stop_says_so_and_hands_back_what_it_cannot_finish(tmp_path: Path) -> None:
    standin = StandIn(words=("Never ",) * 10_000, pause=0.1)
    async with standin.serving() as url:
        config = write_config(tmp_path, f'[engine]\nurl = "{url}"\n[web]\nport = 0\n[logging]\nformat = "json"\n')
        async with gander(tmp_path, config) as (process, page), Visitor(page) as visitor:
            await visitor.ask("Count for ever")
            await standin.asked.wait()
            process.send_signal(signal.SIGTERM)
            _, said = await asyncio.wait_for(process.communicate(), 60)
    told = {line["event"]: line for line in map(json.loads, said.splitlines())}
    assert process.returncode == 0
    assert told["stopping"]["seconds"] == run.DRAIN_SECONDS
    assert told["handed_back"]["questions"] == 1
    with closing(sqlite3.connect(tmp_path / "gander.db")) as database:  # any bot on this database may answer it at once
        assert database.execute("SELECT state, owner, losses FROM job").fetchall() == [("waiting", None, 0)]


async def test_a_kill_loses_no_question(tmp_path: Path) -> None:
    standin = StandIn(words=("Sooner ", "or ", "later."), pause=1.0)
    async with standin.serving() as url:
        config = write_config(tmp_path, f'[engine]\nurl = "{url}"\n[web]\nport = 0\n')
        async with gander(tmp_path, config) as (process, page), Visitor(page) as visitor:
            await visitor.ask("When?")
            process.kill()
            await process.wait()
        standin.pause = 0.0
        async with gander(tmp_path, config) as (_, page), Visitor(page, like=visitor) as again:
            assert await final(again) == "Sooner or later."


async def test_a_busy_port_takes_the_next_and_says_so(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = write_config(tmp_path, f'[engine]\nurl = "http://127.0.0.1:9"\n[web]\nport = {port}\n[logging]\nformat = "json"\n')
        process = await start(tmp_path, config)
        assert process.stderr is not None
        async for line in process.stderr:
            if b"busy" in line:
                break
        told = json.loads(line)
        process.terminate()
        await process.wait()
    assert (told["busy"], told["level"]) == (port, "warning")
    assert told["taken"] > port


@pytest.mark.parametrize(
    ("text", "environment", "said"),
    [
        ('[web]\nhots = "127.0.0.1"\n', {}, "web.hots is no option. Did you mean host?"),
        ('[web]\nhost = "0.0.0.0"\n', {}, "needs a password"),
        ("[web]\nenabled = false\n", {}, "There is nothing to run"),
        ("", {"GANDER_DISCORD_TOKEN": "x" * 30}, "Say who may use the bot"),
    ],
)
def test_what_can_not_run_is_refused_with_the_remedy(tmp_path: Path, text: str, environment: dict[str, str], said: str) -> None:
    command = ["run", "--config", str(write_config(tmp_path, text))]
    refused = CliRunner(env={"GANDER_HOME": str(tmp_path), **environment}).invoke(app, command, catch_exceptions=False)
    assert refused.exit_code == 1
    assert said in " ".join(refused.stderr.split())
    assert [file.name for file in tmp_path.iterdir()] == ["gander.toml"]  # nothing was fetched for nothing


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "PAUSES_SECONDS", (0.0, 0.0, 60.0))


async def test_a_part_that_fails_is_started_again() -> None:
    lives: list[int] = []

    async def work() -> None:
        lives.append(len(lives))
        if len(lives) < 3:
            raise OSError("the connection broke")

    await run.keep_running("part", work)
    assert lives == [0, 1, 2]


@pytest.mark.parametrize(("failure", "traceback"), [(DeliveryError("Discord can't be reached"), False), (KeyError("Discord"), True)])
async def test_a_failure_that_was_expected_is_one_line(failure: Exception, traceback: bool, capsys: pytest.CaptureFixture[str]) -> None:
    failures = [failure]

    async def work() -> None:
        if failures:
            raise failures.pop()

    await run.keep_running("part", work)
    logged = capsys.readouterr().out
    assert "Discord" in logged.splitlines()[0]
    assert ("Traceback" in logged) is traceback


async def test_a_bad_configuration_is_not_tried_again() -> None:
    async def work() -> None:
        raise ConfigError("the ports are all busy")

    with pytest.raises(ConfigError, match="busy"):
        await run.keep_running("part", work)


async def test_what_ever_worked_is_tried_again_and_its_failure_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    lives: list[int] = []

    async def work() -> None:
        lives.append(len(lives))
        if len(lives) < 3:
            raise ConfigError("the token is refused")

    await run.keep_running("part", work, lambda: True)
    assert lives == [0, 1, 2]
    assert capsys.readouterr().out.count("the token is refused") == 1


async def test_stopping_ends_the_work_first() -> None:
    ended = asyncio.Event()
    begun = asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = asyncio.create_task(run.keep_running("part", work))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
