"""A bot that polls the strict server, with a listener in the place of the core."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.adapters.telegram.rig import Connected, connected


@pytest.fixture
async def telegram() -> AsyncIterator[Connected]:
    async with connected() as telegram:
        yield telegram
