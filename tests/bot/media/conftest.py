"""A real child process that decodes, with small limits."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from bot.media.decoder_pool import DecodingProcess
from tests.bot.hostile import LIMITS


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def decoder() -> AsyncIterator[DecodingProcess]:
    process = DecodingProcess(LIMITS)
    yield process
    await process.close()
