"""Who takes part in tests of Discord: a listening core, a simulated server or a wire, and whole bots on them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.discord.client import DiscordClient
from tests.adapters.conformance import Listener
from tests.adapters.discord.rig import AT_ONCE, PROXIED, Cdn, new_client
from tests.adapters.discord.whole import Whole, whole_bot
from tests.adapters.strict.discord.server import Wire, connected, wired


@pytest.fixture
def bot() -> Listener:
    return Listener()


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Whole]:
    async with whole_bot(tmp_path) as whole:
        yield whole


@pytest.fixture
async def wire(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Wire]:
    async with wired(monkeypatch) as wire:
        yield wire


@pytest.fixture
async def client(wire: Wire, bot: Listener) -> AsyncIterator[DiscordClient]:
    """Connected to the wire."""
    client = new_client(bot, Cdn(elsewhere={PROXIED: b"goose"}), **AT_ONCE)
    async with connected(client):
        yield client
