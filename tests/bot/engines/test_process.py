"""Supervision that never ends unseen. The child is a small program in the engine's place, which starts at once and can be made to fail."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs

from bot.background import beside
from bot.engines import client, process, watchdog
from bot.engines.process import EngineChild, OwnEngine
from bot.errors import BotError, EngineRefused, EngineStartError, Fault

STUB = """
import http.server, json, os, pathlib, sys, threading
home = pathlib.Path(os.environ["GANDER_HOME"])
(home / "environment").write_text(json.dumps(dict(os.environ)))
if (home / "broken").exists():
    sys.exit("There is no model 'tiny'." if (home / "broken").read_text() == "" else int((home / "broken").read_text()))
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        state = (home / "state").read_text() if (home / "state").exists() else "ready"
        body = json.dumps({"status": state, "model": "m", "device": "d", "memory_bytes": 0, "rows": 1, "detail": "it is stuck"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Health)
print(json.dumps({"url": f"http://127.0.0.1:{server.server_port}"}), flush=True)
print('{"ready": true}', flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def hurried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "program" / "engine"
    program.mkdir(parents=True)
    (program / "__init__.py").touch()
    (program / "__main__.py").write_text(STUB)
    monkeypatch.setenv("PYTHONPATH", str(program.parent))
    monkeypatch.setattr(process, "PAUSES_SECONDS", (0.0, 0.05))
    monkeypatch.setattr(process, "TROUBLE_SECONDS", 0.0)
    monkeypatch.setattr(watchdog, "LOOK_SECONDS", 0.05)


@asynccontextmanager
async def supervised(home: Path) -> AsyncIterator[tuple[EngineChild, OwnEngine]]:
    """A lasting child that listens."""
    child = EngineChild(home, "tiny", lasting=True)
    async with beside(child.supervise()), aiohttp.ClientSession() as session:
        yield child, OwnEngine(session, await child.url(), child)


async def until(seen: Callable[[], bool]) -> None:
    async with asyncio.timeout(90):
        while not seen():  # noqa: ASYNC110 - another process decides
            await asyncio.sleep(0.02)


async def until_ready(engine: OwnEngine) -> None:
    async with asyncio.timeout(90):
        while True:
            try:
                assert (await engine.health()).status == "ready"
            except BotError:
                await asyncio.sleep(0.02)
            else:
                return


async def test_a_model_that_is_missing_for_a_while_is_said_and_tried_again(tmp_path: Path) -> None:
    with capture_logs() as logged:
        async with supervised(tmp_path) as (child, engine):
            await until_ready(engine)
            (tmp_path / "broken").write_text("")
            os.kill(child.pid, signal.SIGKILL)
            await until(lambda: bool(child.trouble))
            with pytest.raises(EngineRefused, match="There is no model 'tiny'") as refused:
                await engine.health()
            assert refused.value.fault is Fault.START
            (tmp_path / "broken").unlink()
            await until(lambda: not child.trouble)
            await until_ready(engine)
    assert [each["event"] for each in logged].count("engine does not start") == 1


async def test_one_that_fails_at_its_first_start_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "broken").write_text("78")
    with pytest.raises(EngineStartError, match="can't start"):
        async with supervised(tmp_path):
            raise AssertionError("a broken engine was started")


async def test_a_bot_out_of_file_descriptors_starts_it_again_when_it_has_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = asyncio.create_subprocess_exec
    refused: list[tuple[str, ...]] = []

    async def without_room(*arguments: str, **options: object) -> asyncio.subprocess.Process:
        if len(refused) < 6:
            refused.append(arguments)
            raise OSError(errno.EMFILE, "Too many open files")
        return await start(*arguments, **options)  # type: ignore[arg-type]

    with capture_logs() as logged:
        async with supervised(tmp_path) as (child, engine):
            await until_ready(engine)
            monkeypatch.setattr(asyncio, "create_subprocess_exec", without_room)
            os.kill(child.pid, signal.SIGKILL)
            await until(lambda: len(refused) == 6)
            await until_ready(engine)
    assert any("Too many open files" in str(each.get("reason")) for each in logged)


@pytest.mark.parametrize("stopped", [True, False], ids=["stopped", "its device is stuck"])
async def test_one_that_hangs_is_killed_and_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped: bool) -> None:
    monkeypatch.setattr(client, "HEALTH_SECONDS", 0.5)
    with capture_logs() as logged:
        async with supervised(tmp_path) as (child, engine):
            await until_ready(engine)
            first = child.pid
            if stopped:
                os.kill(first, signal.SIGSTOP)
            else:
                (tmp_path / "state").write_text("failed")
            await until(lambda: child.pid != first)
            (tmp_path / "state").write_text("ready")
            await until_ready(engine)
    assert "engine hangs; killing it" in [each["event"] for each in logged]


async def test_a_look_that_the_bot_itself_could_not_make_is_no_miss() -> None:
    async def look() -> None:
        raise EngineRefused("no room") from OSError(errno.EMFILE, "Too many open files")

    assert await watchdog.fault(look) is None  # type: ignore[arg-type]


async def test_the_child_gets_no_secret_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GANDER_DISCORD_TOKEN", "GANDER_TELEGRAM_TOKEN", "GANDER_WEB_PASSWORD", "HF_TOKEN"):
        monkeypatch.setenv(name, "planted")
    monkeypatch.setenv("GANDER_STORE_URL", "postgresql://gander:planted@host/gander")
    async with supervised(tmp_path) as (child, _):
        await child.url()
        given = (tmp_path / "environment").read_text()
    assert "planted" not in given
    assert child.key in given
