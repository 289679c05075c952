"""`/status` tells of each engine, and no address."""

from __future__ import annotations

from bot.command_registry import CommandRunner
from bot.engines.engine import EngineState
from tests.bot.commands.diary import READY, Diary, say
from tests.bot.people import commanded


async def test_status_tells_each_engine_and_no_address(runner: CommandRunner, diary: Diary) -> None:
    loading = READY.model_copy(update={"status": "loading"})
    healths = (READY, None, loading, loading.model_copy(update={"seconds_left": 30.0}), READY.model_copy(update={"status": "failed"}))
    diary.states = tuple(EngineState("http://secret.example", health, 2) for health in healths)
    shown = await say(runner, diary, commanded("status"))
    assert shown.splitlines() == [
        "Engine 1 is ready: pocket on cuda:0, 3.0 GiB, 2 being answered.",
        "A gemma3 model, run by transformers itself (fallback): slower than a model of Gander's own families.",
        "A goose.",
        "Engine 2 does not answer.",
        "Engine 3 is loading its model.",
        "Engine 4 is loading its model: about 30 s to go.",
        "Engine 5 could not load pocket. The person who runs me finds the reason in the log.",
    ]
    diary.states = ()
    assert "No engine" in await say(runner, diary, commanded("status"))
