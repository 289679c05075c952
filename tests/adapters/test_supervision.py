"""Parts of `gander run` that fail are started again; what can't be used ends the run."""

from __future__ import annotations

import asyncio

import pytest

from adapters import run
from bot.errors import ConfigError, DeliveryError


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
