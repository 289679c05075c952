"""Takes interactions in: acknowledges each at once, since Discord waits three seconds, and hands it to the core afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import discord

from adapters.discord.content import Content
from adapters.discord.faults import delivering
from adapters.discord.interactions import Interactions
from adapters.discord.invoking import invoked, place_of_interaction
from bot.errors import DeliveryError
from bot.message import Attachment, Incoming, Invocation, Reply
from bot.ports import Bot
from bot.texts import Texts, choose_language

FOR_ALL: Final = frozenset({"ask", "compare", "reset"})  # whose answers everybody may see


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
        # Also where no reply came: Discord may have taken it, and whatever is said next tells.
        self._interactions.add(interaction, incoming.place, thinking=True, ephemeral=hidden)
        await self._hand_over(incoming)

    async def press(self, interaction: discord.Interaction[discord.Client], command: Invocation) -> None:
        """A button whose answer shows by itself what happened."""
        incoming = invoked(interaction, command)
        with suppress(DeliveryError), delivering():
            await interaction.response.defer()
        self._interactions.add(interaction, incoming.place)
        await self._hand_over(incoming)

    async def _hand_over(self, incoming: Incoming) -> None:
        taken = False
        try:
            await self._bot.handle(incoming)
            taken = True
        finally:
            if not taken:
                await self._apologize(incoming)

    async def _apologize(self, incoming: Incoming) -> None:
        """Whatever went wrong, nobody is left with a bot that thinks for ever."""
        live = self._interactions.find(incoming.id)
        words = self._texts.say(choose_language(incoming.locale), "delivery.failed")
        with suppress(DeliveryError), delivering():
            if live is not None:
                await live.send(Content(words), private=live.ephemeral or not live.thinking)

    async def go_on(self, interaction: discord.Interaction[discord.Client]) -> None:
        """Somebody wants to see the rest: what waits is said by this interaction, in the message that offered it first."""
        place, offered = place_of_interaction(interaction), interaction.message
        text = self._interactions.said(place, str(offered.id)) if offered else ""
        with suppress(DeliveryError), delivering():
            await interaction.response.defer()
            await self._interactions.add(interaction, place).take_over(text)
