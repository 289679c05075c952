"""Takes interactions in: acknowledges each at once, since Discord waits three seconds, and hands it to the bot afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Final

import discord

from adapters.discord.errors import delivering
from adapters.discord.message_content import Content
from adapters.discord.open_interactions import GOOD_FOR_SECONDS, Interactions, Live, ticket_of
from adapters.discord.places import NAME
from adapters.discord.read_interaction import invoked, place_of_interaction
from bot.api import Bot, Ticket
from bot.errors import DeliveryError
from bot.message import Attachment, Incoming, Invocation, Place, Reply
from bot.texts import Texts, choose_language

FOR_ALL: Final = frozenset({"ask", "compare", "reset"})  # whose answers everybody may see


Interaction = discord.Interaction[discord.Client]


class Reception:
    """The way in for commands, forms and buttons. `mine`: whether this connection is told of what happens in a place."""

    def __init__(self, bot: Bot, interactions: Interactions, texts: Texts, mine: Callable[[Place], bool] = lambda place: True) -> None:
        self._bot = bot
        self._mine = mine
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
        with self._arriving(invoked(interaction, command, attachments, reply_to)) as incoming:
            await self._acknowledge(interaction, incoming, thinking=True, ephemeral=hidden)
            await self._hand_over(incoming)

    async def press(self, interaction: discord.Interaction[discord.Client], command: Invocation) -> None:
        """A button whose answer shows by itself what happened."""
        with self._arriving(invoked(interaction, command)) as incoming:
            await self._acknowledge(interaction, incoming)
            await self._hand_over(incoming)

    async def restore(self, client: discord.Client) -> tuple[tuple[Ticket, Live], ...]:
        """Go on with the interactions from before a restart that are still good. Those to which nothing is going to be said."""
        found = []
        for ticket in filter(lambda ticket: self._mine(ticket.place), await self._bot.tickets(NAME)):
            hook = discord.Webhook.partial(int(ticket.data["application"]), str(ticket.data["token"]), client=client)
            found.append((ticket, self._interactions.restore(ticket, hook)))
        return tuple((ticket, live) for ticket, live in found if not (ticket.reply_pending or ticket.message_ids))

    async def clear_up(self, left: Sequence[tuple[Ticket, Live]]) -> None:
        """A kill came before they were taken, or before their sign of thinking was taken away."""
        for ticket, live in left:
            with suppress(DeliveryError), delivering():
                if not ticket.taken:
                    live.thinking = bool(ticket.data["thinking"])
                    await self._apologize_by(live)
                elif ticket.data["thinking"]:
                    await live.tidy()

    @contextmanager
    def _arriving(self, incoming: Incoming) -> Iterator[Incoming]:
        """The event with its place in its channel's order, which it keeps while it is acknowledged."""
        with self._bot.arriving(incoming.place, incoming.id, incoming.author) as arrival:
            arrival.asks = False
            yield replace(incoming, arrival=arrival)

    async def _acknowledge(self, interaction: Interaction, incoming: Incoming, *, thinking: bool = False, ephemeral: bool = False) -> None:
        # Also where no reply comes: Discord may have taken it, and whatever is said next tells.
        live = self._interactions.add(interaction, incoming.place, thinking=thinking, ephemeral=ephemeral)
        kept = self._bot.keep_ticket(incoming.place, incoming.id, ticket_of(live), GOOD_FOR_SECONDS)
        await asyncio.gather(kept, _defer(interaction, thinking=thinking, ephemeral=ephemeral))

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
        with suppress(DeliveryError), delivering():
            if live is not None:
                await self._apologize_by(live)

    async def _apologize_by(self, live: Live) -> None:
        words = self._texts.render(choose_language(live.locale), "delivery.failed")
        await live.send(Content(words), private=live.ephemeral or not live.thinking)

    async def go_on(self, interaction: discord.Interaction[discord.Client]) -> None:
        """Somebody wants to see the rest: what waits is said by this interaction, in the message that offered it first."""
        place, offered = place_of_interaction(interaction), interaction.message
        text = self._interactions.said(place, str(offered.id)) if offered else ""
        with suppress(DeliveryError), delivering():
            await interaction.response.defer()
            await self._interactions.add(interaction, place).take_over(text)


async def _defer(interaction: Interaction, *, thinking: bool, ephemeral: bool) -> None:
    """Within three seconds."""
    with suppress(DeliveryError), delivering():
        await interaction.response.defer(ephemeral=ephemeral, thinking=thinking)
