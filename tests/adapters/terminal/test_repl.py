"""`gander chat` as a process: lines are read and answered, and Ctrl-C stops an answer, then leaves."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

from PIL import Image

from tests.adapters.standin import StandIn
from tests.adapters.terminal.real import Terminal, command, environment, terminal


async def piped(home: Path, url: str, lines: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *command("chat", "--engine-url", url),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(home),
        cwd=home,
    )
    output, errors = await process.communicate(lines.encode())
    return process.returncode or 0, output.decode(), errors.decode()


async def test_a_pipe_is_answered_line_by_line_and_gets_answers_only(tmp_path: Path) -> None:
    standin = StandIn(words=("**One** ", "goose."))
    Image.new("RGB", (30, 20), "red").save(tmp_path / "a goose.png")
    async with standin.serving() as url:
        code, output, errors = await piped(tmp_path, url, "'a goose.png' how many?\n\nsure?\n")
    assert (code, output) == (0, "**One** goose.\n**One** goose.\n")
    assert errors == ""
    assert [part["type"] for part in standin.requests[0]["messages"][-1]["content"]] == ["image_url", "text"]


async def test_bad_input_is_explained_and_the_next_line_is_answered(tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_bytes(b"not a picture")
    async with StandIn().serving() as url:
        code, output, errors = await piped(tmp_path, url, "./notes.png what?\n>99 why?\nstill there?\n")
    assert code == 0
    assert output.endswith("One goose.\n")
    assert "Traceback" not in errors


async def test_a_question_is_asked_and_answered(tmp_path: Path) -> None:
    async with StandIn().serving() as url, terminal(tmp_path, "chat", "--engine-url", url) as seen:
        await seen.sees("› ")
        seen.type("how many?\n")
        await seen.sees("One goose.")
        await seen.sees("[1]")
        await seen.sees("› ")
        seen.type("/quit\n")
        assert await asyncio.to_thread(seen.process.wait) == 0


async def test_control_c_stops_the_answer_and_then_leaves(tmp_path: Path) -> None:
    standin = StandIn(words=tuple(f"word{number} " for number in range(1000)), pause=0.05)
    async with standin.serving() as url, terminal(tmp_path, "chat", "--engine-url", url) as seen:
        await seen.sees("› ")
        seen.type("count\n")
        await seen.sees("word3")
        seen.interrupt()
        await seen.sees("[1]")
        await seen.sees("› ")
        assert await left(seen) == 0


async def left(seen: Terminal) -> int:
    """Ctrl-C at the prompt, once more if need be: readline misses a key that comes while it sets itself up."""
    while True:
        seen.interrupt()
        try:
            return await asyncio.to_thread(seen.process.wait, 10)
        except subprocess.TimeoutExpired:
            continue


async def test_a_killed_terminal_leaves_the_next_one_working(tmp_path: Path) -> None:
    standin = StandIn(words=tuple("slow " for _ in range(100)), pause=0.05)
    async with standin.serving() as url:
        async with terminal(tmp_path, "chat", "--engine-url", url) as seen:
            await seen.sees("› ")
            seen.type("count\n")
            await seen.sees("slow")
            seen.process.kill()
        standin.words, standin.pause = ("Fine.",), 0.0
        code, output, _ = await piped(tmp_path, url, "and now?\n")
    assert code == 0
    assert "Fine." in output
