"""`gander bench bot`, played for a moment: every message is followed all the way, and what is missing shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapters.bench.measure import WARM_UP_SECONDS, Load, Run, child, line, play
from adapters.bench.protocol import Heard, Memory, Observed, Ready
from adapters.bench.report import ROWS, percentiles, report
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


def test_what_is_missing_shows() -> None:
    talk = Heard(at=10.0, asks=False, taken=10.001)
    answered = Heard(at=10.0, asks=True, taken=10.002, received=10.003, answered=11.0, shown=11.002, ended=12.0)
    lost, failed = Heard(at=10.0, asks=True, taken=10.002), Heard(at=10.0, asks=True, taken=10.002, ended=11.0)
    early = Heard(at=9.0, asks=True, taken=9.9)
    memory = Memory(now=1.0, most=2.0)
    run = Run(0.5, Ready(memory=memory), Observed(memory=memory, heard=[early, talk, answered, lost, failed]), counted_from=9.5)
    found = report(Load(rate=1, asks=0.5, seconds=1, words=1), run)
    assert (found.messages, found.questions, found.lost) == (4, 3, 2)
    assert found.milliseconds["question"].p50 == pytest.approx(5.0)
    assert found.milliseconds["overheard"].most == pytest.approx(1.0)
    assert found.milliseconds["message"].p50 == pytest.approx(3.0)


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


def test_percentiles_are_the_usual_ones() -> None:
    assert percentiles(range(101)) == (50.0, 95.0, 99.0)
    assert percentiles([3.0]) == (3.0, 3.0, 3.0)
