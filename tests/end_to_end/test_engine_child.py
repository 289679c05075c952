"""The engine as a child process: killed, stopped, orphaned and misconfigured, with real weights in it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from bot.config.schema import EngineOptions
from bot.engines import process as engine_child
from bot.engines.client import EngineClient
from bot.engines.process import EngineChild, running_engine
from bot.errors import AnswerLost, EngineStartError, EngineUnavailable
from engine.api import ChatRequest, Message

LONG = ChatRequest(
    messages=(Message(role="user", content="Tell me."),), max_tokens=150, min_tokens=150, temperature=0
)  # drawn words may spell a stop
SHORT = LONG.model_copy(update={"max_tokens": 3, "min_tokens": 3})


@asynccontextmanager
async def engine(home: Path) -> AsyncIterator[tuple[EngineChild, EngineClient]]:
    arguments = EngineOptions(devices=("cpu",), quantize="none").arguments
    async with running_engine(home, "tiny", arguments) as child, aiohttp.ClientSession() as session:
        yield child, EngineClient(session, await child.url(), child.key)


async def ready(client: EngineClient) -> None:
    async with asyncio.timeout(90):
        while True:
            try:
                if (await client.health()).status == "ready":
                    return
            except EngineUnavailable:
                pass
            await asyncio.sleep(0.05)


async def length(client: EngineClient, request: ChatRequest) -> int:
    async with aclosing(client.stream(request)) as chunks:
        return [chunk async for chunk in chunks if chunk.usage][-1].usage.completion_tokens  # type: ignore[union-attr]


def is_alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except FileNotFoundError:
        return False


async def gone(pid: int) -> None:
    async with asyncio.timeout(90):
        while is_alive(pid):  # noqa: ASYNC110 - another process's end has no event here
            await asyncio.sleep(0.05)


async def kill_at_the_first_word(child: EngineChild, client: EngineClient) -> None:
    async with asyncio.timeout(90), aclosing(client.stream(LONG)) as chunks:
        await anext(chunks)
        os.kill(child.pid, signal.SIGKILL)
        async for _ in chunks:
            pass


async def test_killed_mid_answer_the_asker_hears_it_and_the_next_question_is_answered(tiny_home: Path) -> None:
    async with engine(tiny_home) as (child, client):
        await ready(client)
        first, address = child.pid, await child.url()
        with pytest.raises(AnswerLost):
            await kill_at_the_first_word(child, client)
        await ready(client)
        assert (child.pid != first, await child.url()) == (True, address)
        assert await length(client, SHORT) == 3
    await gone(child.pid)


async def test_the_child_asks_for_the_key_that_it_was_given(tiny_home: Path) -> None:
    async with engine(tiny_home) as (child, _), aiohttp.ClientSession() as session:
        assert (await session.get(f"{await child.url()}/v1/models")).status == 401
        assert child.key not in child.log_file.read_text(encoding="utf-8")


async def test_an_answer_under_way_is_finished_before_a_graceful_stop(tiny_home: Path) -> None:
    async with engine(tiny_home) as (child, client):
        await ready(client)
        async with aclosing(client.stream(LONG)) as chunks:
            await anext(chunks)
            os.kill(child.pid, signal.SIGTERM)
            rest = [chunk async for chunk in chunks]
        assert rest[-1].usage is not None
        assert rest[-1].usage.completion_tokens > 100  # even the likeliest words may spell a stop
        assert [choice.finish_reason for chunk in rest for choice in chunk.choices if choice.finish_reason]


async def test_it_never_outlives_a_parent_that_was_killed(tiny_home: Path) -> None:
    code = f"""
import asyncio, sys
from pathlib import Path
from bot.engines.process import running_engine
async def main():
    async with running_engine(Path({str(tiny_home)!r}), "tiny") as child:
        print(child.pid, flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(sys.executable, "-P", "-c", code, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert is_alive(pid)
    parent.kill()
    await parent.wait()
    await gone(pid)


async def test_what_can_never_start_is_not_tried_again(tmp_path: Path) -> None:
    with pytest.raises(EngineStartError, match="no model 'tiny'"):
        async with engine(tmp_path):
            pass


async def test_damaged_weights_are_named(tiny_home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models" / "tiny"
    folder.mkdir(parents=True)
    for file in (tiny_home / "models" / "tiny").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    damaged = next(folder.glob("language*.safetensors"))
    damaged.write_bytes(damaged.read_bytes()[:1000])
    child = EngineChild(tmp_path, "tiny")
    with pytest.raises(EngineStartError, match=damaged.name):
        await asyncio.wait_for(child.supervise(), 60)


@pytest.mark.parametrize("blocked", ["", "logs"])
async def test_a_folder_that_cannot_be_written_is_named_at_once(tiny_home: Path, tmp_path: Path, blocked: str) -> None:
    home = tmp_path / "home"
    if blocked:
        home.mkdir()
    (home / blocked).write_text("a file stands where the folder should be")
    with pytest.raises(EngineStartError, match=f"{home / 'logs'}.* can't be written: .*GANDER_HOME"):
        async with engine(home):
            raise AssertionError("an engine without a log was started")


async def test_who_waits_for_something_else_hears_that_the_engine_gave_up(tiny_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_child, "STEADY_SECONDS", 1e9)
    monkeypatch.setattr(engine_child, "PAUSES_SECONDS", (0.0,) * engine_child.ATTEMPTS)

    async def waiting() -> None:
        async with engine(tiny_home) as (child, client):
            await ready(client)
            child._arguments = ("--no-such-option",)  # what an update of the engine could do to a running bot
            os.kill(child.pid, signal.SIGKILL)
            await asyncio.Event().wait()

    with pytest.raises(EngineStartError, match="The engine can't start"):
        await waiting()


async def test_an_engine_that_is_killed_while_it_loads_is_not_started_for_ever(tiny_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the system does where memory runs out: each of its children is killed as soon as it listens."""
    monkeypatch.setattr(engine_child, "PAUSES_SECONDS", (0.0,) * engine_child.ATTEMPTS)
    pids: set[int] = set()

    class Short(EngineChild):
        async def _listen(self, output: asyncio.StreamReader) -> bool:
            listened = await super()._listen(output)
            pids.add(self.pid)
            os.kill(self.pid, signal.SIGKILL)
            return listened

    with pytest.raises(EngineStartError, match=r"memory runs out.*smaller model"):
        await Short(tiny_home, "tiny", EngineOptions(devices=("cpu",), quantize="none").arguments).supervise()
    assert len(pids) == engine_child.ATTEMPTS


def serve_by_hand(home: Path, *arguments: str, key: str = "") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"GANDER_HOME": str(home), "GANDER_ENGINE_KEY": key}
    command = [sys.executable, "-P", "-m", "engine", "engine", "--model", "tiny", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("arguments", "key", "reason"),
    [
        (("--host", "0.0.0.0"), "", "set a key in GANDER_ENGINE_KEY"),  # noqa: S104 - refused is the point
        (("--host", "::"), "", "set a key in GANDER_ENGINE_KEY"),
        (("--host", "0.0.0.0"), "short", "shorter than 16 characters"),  # noqa: S104
        (("--key-file", "/nonexistent"), "", "/nonexistent can't be read"),
        (("--port", "1", "--host", "192.0.2.1"), "k" * 20, "Can't listen on 192.0.2.1:1"),
    ],
)
def test_a_server_that_must_not_or_cannot_start_names_the_option(
    tiny_home: Path, arguments: tuple[str, ...], key: str, reason: str
) -> None:
    ended = serve_by_hand(tiny_home, *arguments, key=key)
    assert (ended.returncode, reason in ended.stderr) == (os.EX_CONFIG, True), ended.stderr
