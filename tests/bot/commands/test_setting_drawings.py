"""The drawings of settings show what engines do."""

from __future__ import annotations

from math import exp

import pytest

from bot.command_registry import CommandRunner
from bot.commands.setting_drawings import LOGITS, probabilities
from tests.bot.commands.diary import Diary, say
from tests.bot.people import ADA, MODERATOR, SERVER, commanded


async def test_temperature_and_beams_are_explained_with_a_picture(runner: CommandRunner, diary: Diary) -> None:
    await runner.run(commanded("temperature", MODERATOR, value=0.7), diary)
    lines = (await say(runner, diary, commanded("temperature"))).splitlines()
    heads, *bars = lines[lines.index("```") + 1 : lines.index("```", lines.index("```") + 1)]
    assert heads.split() == ["0.2", "▸0.7", "1.8"]
    assert [bar.split()[0] for bar in bars] == ["goose", "duck", "swan", "gull", "hat"]
    assert len({line.index(mark) for line, mark in ((heads, "0.2"), (bars[0], "█"))}) == 1
    assert "★" in await say(runner, diary, commanded("beams"))
    assert "★" in await say(runner, diary, commanded("beams", ADA, SERVER, "zh-CN"))


def test_the_picture_of_temperature_is_the_softmax_that_engines_use() -> None:
    for temperature in (0.2, 1.0, 1.8):
        shares = probabilities(temperature)
        assert sum(shares) == pytest.approx(1)
        assert shares[0] / shares[1] == pytest.approx(exp((LOGITS[0] - LOGITS[1]) / temperature))
    assert probabilities(0)[0] == pytest.approx(1)
