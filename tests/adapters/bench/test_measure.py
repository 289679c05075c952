"""`gander bench bot`, played for a moment: every message is followed all the way, and what is missing shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapters.bench.measure import WARM_UP_SECONDS, Load, child, line, play
from adapters.bench.report import ROWS
from adapters.errors import BenchError
from tests.adapters.cli.test_commands import gander


def test_every_message_is_followed_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    options = ("--rate", "40", "--asks", "0.5", "--seconds", "1", "--words", "3", "--json", str(file))
    said = gander("bench", "bot", *options)
    assert (said.returncode, said.stderr) == (0, "")
    found = json.loads(file.read_text())
    assert 10 < found["messages"] <= 40 * (1 + WARM_UP_SECONDS)
    assert (0 < found["questions"] < found["messages"], found["lost"]) == (True, 0)
    assert found["milliseconds"].keys() == ROWS.keys()
    assert all(0 < each["p50"] <= each["p95"] <= each["p99"] <= each["most"] for each in found["milliseconds"].values())
    assert found["start_seconds"] > 0
    assert 0 < found["memory_at_rest"] <= found["memory_at_most"]
    assert all(name in said.stdout for name in ROWS.values())


def test_a_bot_that_ends_midway_is_told_with_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as errors, child("adapters.bench.bot", str(tmp_path), "no address", stderr=errors) as bot:
        bot.wait(30)
        play(Load(rate=100, asks=1, seconds=0, words=1), bot)
        with pytest.raises(BenchError, match="begins with http"):
            line(bot, log)


def test_help_says_what_is_counted() -> None:
    assert "until the engine has the request" in " ".join(gander("bench", "bot", "--help").stdout.split())
    assert "gander bench bot" in gander("--help").stdout
