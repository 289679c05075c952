"""Waits for the pictures of links: Discord fetches them after the message, and sends them as an update of it."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import Final

import discord

LINK: Final = re.compile(r"https?://\S+", re.IGNORECASE)
PATIENCE_SECONDS: Final = 2.0


class LinkPreviews:
    """Waits for the embeds of messages, by message id."""

    def __init__(self, patience: float = PATIENCE_SECONDS) -> None:
        self._patience = patience
        self._awaited: dict[int, asyncio.Future[list[discord.Embed]]] = {}

    async def wait(self, message: discord.Message) -> None:
        """Put into a message with a link and without a picture the embeds that Discord makes of it, if they come soon."""
        if message.attachments or message.embeds or not LINK.search(message.content):
            return
        awaited = self._awaited[message.id] = asyncio.get_running_loop().create_future()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                message.embeds = await awaited
        self._awaited.pop(message.id, None)

    def updated(self, message: discord.Message) -> None:
        """Take the embeds of a message update to whoever waits for them."""
        awaited = self._awaited.get(message.id)
        if awaited is not None and message.embeds and not awaited.done():
            awaited.set_result(message.embeds)
