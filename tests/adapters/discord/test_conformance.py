"""Discord does what every adapter must, on a simulated server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.adapters.conformance import Conformance, Listener, Rig
from tests.adapters.discord.rig import DiscordRig, client_of, on_server


class TestDiscord(Conformance):
    @pytest.fixture
    async def rig(self) -> AsyncIterator[Rig]:
        bot = Listener()
        async with on_server(client_of(bot)) as server:
            yield DiscordRig(server, bot)

    async def test_sends_a_nonce_once(self, rig: Rig) -> None:
        assert rig.platform.limits.deduplicates
        pytest.skip("simcord takes no notice of nonces: test_wire.py shows it on the wire")
