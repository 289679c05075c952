"""Bounds on one answer, whatever the engine does: how long nothing may come of it, how long it may take, and how long it may get."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final, NoReturn

from bot.answer_settings import AnswerSettings
from bot.engines.engine import Engine
from bot.errors import AnswerLost, BotError

LOOK_SECONDS: Final = 2.0
LEAST_SILENCE: Final = 30.0  # seconds without a token, or TIMES the longest silence so far, before the engine is asked how it is
TIMES: Final = 5.0
MOST_SILENCE: Final = 600.0  # however well it says that it is
LONGEST_SECONDS: Final = 3600.0  # of a whole answer
CHARACTERS_PER_TOKEN: Final = 16  # more than any tokenizer's average
LEAST_CHARACTERS: Final = 20_000
MOST_CHARACTERS: Final = 100_000  # where no number of tokens was asked for


def most_characters(settings: AnswerSettings) -> int:
    """The characters after which an answer is cut off: a server that ignores `max_tokens` would go on for ever."""
    tokens = settings.max_new_tokens
    return MOST_CHARACTERS if tokens is None else max(LEAST_CHARACTERS, tokens * CHARACTERS_PER_TOKEN)


async def watch_silence(engine: Engine, tokens: Callable[[], int]) -> NoReturn:
    """Runs beside the reading of an answer. Raises AnswerLost when no token comes for longer than the answer's own pace explains, and
    the engine does not say that it is well, or for MOST_SILENCE. `tokens`: how many have come."""
    seen, since, longest = tokens(), monotonic(), 0.0
    asked = since
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        now = monotonic()
        if (come := tokens()) != seen:
            longest = max(longest, now - since)
            seen, since, asked = come, now, now
        elif now - since > MOST_SILENCE:
            raise AnswerLost(f"{engine.name} sent nothing for {now - since:.0f} seconds.")
        elif now - asked > max(LEAST_SILENCE, TIMES * longest):
            await _ask(engine, now - since)
            asked = monotonic()


async def _ask(engine: Engine, silence: float) -> None:
    try:
        health = await engine.health()
    except BotError as error:
        raise AnswerLost(f"{engine.name} sent nothing for {silence:.0f} seconds: {error}") from error
    if health.status != "ready":
        raise AnswerLost(f"{engine.name} sent nothing for {silence:.0f} seconds: {health.detail or health.status}")
