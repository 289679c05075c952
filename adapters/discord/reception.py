"""Takes interactions in: acknowledges each at once, since Discord waits three seconds, and hands it to the core afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import discord

from adapters.discord.faults import delivering
from adapters.discord.interactions import Interactions
from adapters.discord.invoking import invoked, place_of_interaction
from adapters.discord.panel import panel
from bot.errors import DeliveryError
from bot.message import Attachment, Invocation, Reply
from bot.ports import Bot
from bot.texts import Texts

FOR_ALL: Final = frozenset({"ask", "compare", "reset"})  # whose answers everybody may see
ANSWERED_ELSEWHERE: Final = frozenset({"again", "continue"})  # by a reply to the question
WITH_PANEL: Final = frozenset({"settings", "setup"})
TIDY_SECONDS: Final = 2.0  # after which such a command will hardly be refused any more


class Reception:
    """The way in for commands, forms and buttons."""

    def __init__(self, bot: Bot, interactions: Interactions, texts: Texts) -> None:
        self._bot = bot
        self._interactions = interactions
        self._texts = texts

    async def take(
        self,
        interaction: discord.Interaction[discord.Client],
        command: Invocation,
        attachments: Sequence[Attachment] = (),
        reply_to: Reply | None = None,
    ) -> None:
        """A command, given in whatever form. What it says is for this person alone, unless others are meant to see it."""
        hidden = command.name not in FOR_ALL
        incoming = invoked(interaction, command, attachments, reply_to)
        with suppress(DeliveryError), delivering():
            await interaction.response.defer(ephemeral=hidden, thinking=True)
            live = self._interactions.add(interaction, incoming.place, thinking=True, ephemeral=hidden)
            if command.name in WITH_PANEL and command.options.keys() <= {"answer_id"}:
                live.view = panel(self._texts, interaction.locale)
        await self._bot.handle(incoming)
        if command.name in ANSWERED_ELSEWHERE:
            await self._tidy(incoming.id)

    async def press(self, interaction: discord.Interaction[discord.Client], command: Invocation) -> None:
        """A button whose answer shows by itself what happened."""
        incoming = invoked(interaction, command)
        with suppress(DeliveryError), delivering():
            await interaction.response.defer()
            self._interactions.add(interaction, incoming.place)
        await self._bot.handle(incoming)

    async def go_on(self, interaction: discord.Interaction[discord.Client]) -> None:
        """Somebody wants to see the rest: what waits is said by this interaction, in the message that offered it first."""
        place, offered = place_of_interaction(interaction), interaction.message
        text = self._interactions.said(place, str(offered.id)) if offered else ""
        with suppress(DeliveryError), delivering():
            await interaction.response.defer()
            await self._interactions.add(interaction, place).take_over(text)

    async def _tidy(self, name: str) -> None:
        await asyncio.sleep(TIDY_SECONDS)
        live = self._interactions.find(name)
        with suppress(DeliveryError), delivering():
            if live is not None:
                await live.stop_thinking()
