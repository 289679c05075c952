"""`gander ask` and `gander demo` from the outside, with real weights: what a person at a terminal gets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from bot.engines.discovery import living_engines


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "adapters", *arguments]


def environment(home: Path) -> dict[str, str]:
    return os.environ | {"GANDER_HOME": str(home), "NO_COLOR": "1", "LANG": "C.UTF-8"}


def ask(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("ask", *arguments, "--model", "tiny"), env=environment(home), capture_output=True, text=True, timeout=100, check=False
    )


@pytest.fixture(scope="module")
def engine(tiny_home: Path) -> Iterator[int]:
    """The process of an engine that runs in `tiny_home` with a key of its own."""
    serve = [sys.executable, "-P", "-m", "engine", "engine", "--model", "tiny", "--port", "0"]
    with_key = environment(tiny_home) | {"GANDER_ENGINE_KEY": "opensesame-opensesame"}
    with subprocess.Popen(serve, env=with_key, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert b"listens on" in process.stdout.readline()
        yield process.pid
        process.kill()


@pytest.fixture
def lonely_home(tiny_home: Path, tmp_path: Path) -> Path:
    """The same model, and no engine that runs."""
    (tmp_path / "models").symlink_to(tiny_home / "models")
    return tmp_path


@pytest.fixture
def picture(tmp_path: Path) -> str:
    Image.new("RGB", (40, 30), "green").save(tmp_path / "green.png")
    return str(tmp_path / "green.png")


@pytest.mark.usefixtures("engine")
def test_a_picture_s_answer_goes_to_standard_output_alone_and_a_seed_repeats_it(tiny_home: Path, lonely_home: Path, picture: str) -> None:
    """Asked of the engine that runs already, and of one that is started for this answer and gone with it."""
    settings = ("--seed", "3", "--max-tokens", "12", "--temperature", "1.5")
    first, second = (ask(home, picture, "What?", *settings) for home in (tiny_home, lonely_home))
    assert (first.returncode, second.returncode, first.stdout) == (0, 0, second.stdout)
    assert first.stdout.strip()
    assert all("--max-tokens raises it" in asked.stderr for asked in (first, second))
    assert ["runs already" in asked.stderr for asked in (first, second)] == [True, False]
    assert list(living_engines(lonely_home, "tiny")) == []


@pytest.mark.usefixtures("engine")
def test_beams_in_a_pipe_print_the_final_answer_once(tiny_home: Path, picture: str) -> None:
    greedy_twice = ask(tiny_home, picture, picture, "Compare.", "--beams", "3", "--max-tokens", "8")
    assert greedy_twice.returncode == 0, greedy_twice.stderr
    assert greedy_twice.stdout.endswith("\n")


def test_ctrl_c_ends_it_at_once_and_leaves_nothing_behind(lonely_home: Path) -> None:
    long = ("--max-tokens", "2000", "--temperature", "2", "--seed", "1")  # most others end by themselves, some of them at once
    arguments = command("ask", "Hi", "--model", "tiny", *long)
    asked = subprocess.Popen(arguments, env=environment(lonely_home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert asked.stdout is not None
    asked.stdout.read(1)
    asked.send_signal(signal.SIGINT)
    _, remarks = asked.communicate(timeout=90)
    assert asked.returncode == 130
    assert "Traceback" not in remarks


def test_a_question_goes_to_the_engine_that_runs_already_with_its_key(tiny_home: Path, engine: int) -> None:
    asked = ask(tiny_home, "Hi", "--max-tokens", "3")
    assert asked.returncode == 0, asked.stderr
    assert f"Asking the engine that runs already (process {engine})." in asked.stderr
