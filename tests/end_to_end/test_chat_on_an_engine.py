"""`gander chat` on an engine of its own that ends for good: neither the prompt nor an answer is waited at for ever."""

from __future__ import annotations

import asyncio
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # ships no types
import pytest

from tests.adapters.terminal.real import terminal


async def kill_engine(process: subprocess.Popen[bytes]) -> None:
    """Of a chat, once there is one: the prompt may stand there before. It may also have ended by itself, without its model."""
    async with asyncio.timeout(90):
        while process.poll() is None:
            with suppress(psutil.Error):
                if engines := [child for child in psutil.Process(process.pid).children() if "engine" in child.cmdline()]:
                    engines[0].kill()
                    return
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("line", ["", "Tell me a long story.\n"])
async def test_an_engine_that_ends_for_good_ends_the_chat_with_its_reason(tiny_home: Path, tmp_path: Path, line: str) -> None:
    model = tmp_path / "models" / "tiny"
    model.parent.mkdir()
    model.symlink_to(tiny_home / "models" / "tiny")
    async with terminal(tmp_path, "chat", "--model", "tiny") as seen:
        await seen.sees("› ")
        seen.type(line)
        model.unlink()
        await kill_engine(seen.process)
        await seen.sees("The engine can't start: There is no model 'tiny'")
        assert await asyncio.to_thread(seen.process.wait) == 1
        assert "Traceback" not in seen.shown
