"""Discord as the core sees it (bot/ports.py): sends, edits, deletes and types, and pings nobody."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

import discord

from adapters.discord.buttons import more_view, view_of
from adapters.discord.diagnosis import findings
from adapters.discord.faults import delivering
from adapters.discord.interactions import MESSAGE_LENGTH, NOBODY, Interactions, Live
from adapters.discord.markdown import defuse, hide, small_print
from adapters.discord.places import NAME, channel_id, guild_id
from bot.errors import DeliveryError, PlaceGone
from bot.message import Incoming, Place
from bot.ports import EditBudget, Limits, Outgoing
from bot.streaming import ELLIPSIS
from bot.texts import Texts, choose_language

ASK_AGAIN_SECONDS: Final = 5.0  # whether the button was pressed
RESERVE: Final = 50  # of it, for spoiler tags and the marks of small print


class DiscordLimits(Limits):
    """A text counts as long as it is once defused."""

    def length(self, text: str) -> int:
        return len(defuse(text))


LIMITS: Final = DiscordLimits(
    text=MESSAGE_LENGTH - RESERVE,
    budget=EditBudget(edits=5, seconds=5.0),
    typing_seconds=10.0,
    deduplicates=True,
    whispers=True,
)


class DiscordPlatform:
    """ports.Platform on a client that is logged in. Needs no cache: ids are enough."""

    name = NAME
    limits: Limits = LIMITS

    def __init__(self, client: discord.Client, interactions: Interactions, texts: Texts) -> None:
        self._client = client
        self._interactions = interactions
        self._texts = texts

    async def send(self, place: Place, message: Outgoing, *, reply_to: str | None, nonce: str) -> str:
        view = view_of(message, self._texts)
        with delivering():
            if live := self._interactions.way(place, reply_to):
                await self._check(live)
                return await live.send(written(message), view, private=message.private)
            link = reference(place, reply_to)
            optional: dict[str, Any] = ({"view": view} if view else {}) | ({"reference": link} if link else {})
            sent = await self._channel(place).send(written(message), nonce=nonce, allowed_mentions=NOBODY, suppress_embeds=True, **optional)
        return str(sent.id)

    async def edit(self, place: Place, message_id: str, message: Outgoing) -> None:
        view = view_of(message, self._texts)
        with delivering():
            if live := self._interactions.showing(place, message_id):
                await self._check(live)
                await live.edit(message_id, written(message), view)
            else:
                shown = self._channel(place).get_partial_message(int(message_id))
                await shown.edit(content=written(message), view=view, allowed_mentions=NOBODY)

    async def delete(self, place: Place, message_id: str) -> None:
        with delivering():
            await self._channel(place).get_partial_message(int(message_id)).delete()

    async def typing(self, place: Place) -> None:
        with suppress(DeliveryError), delivering():
            if live := self._interactions.way(place):
                await self._check(live)
            else:
                await self._channel(place).typing()

    async def diagnose(self, incoming: Incoming) -> tuple[str, ...]:
        live = self._interactions.find(incoming.id)
        granted = live.interaction.app_permissions if live else self._granted(incoming.place)
        return findings(granted, sees_content=self._client.intents.message_content)

    def _granted(self, place: Place) -> discord.Permissions:
        """The bot's rights in a place, as Discord told them at the connection's beginning and told of changes since."""
        channel = self._client.get_channel(channel_id(place))
        if isinstance(channel, discord.abc.GuildChannel | discord.Thread):
            return channel.permissions_for(channel.guild.me)
        return discord.Permissions.none() if place.server else discord.Permissions.all()

    async def _check(self, live: Live) -> None:
        """Raises DeliveryError where only a new interaction would do; somebody is offered a button that makes one."""
        if not self._interactions.spent(live):
            return
        if self._interactions.hopeless(live):
            raise PlaceGone("nobody wanted to see the rest of the answer")
        if not live.handed_over:
            language = choose_language(live.interaction.locale.value)
            await live.hand_over(self._texts.say(language, "discord.more"), more_view(self._texts, language))
        raise DeliveryError("Discord lets the bot say no more here until somebody presses the button", ASK_AGAIN_SECONDS)

    def _channel(self, place: Place) -> discord.PartialMessageable:
        return self._client.get_partial_messageable(channel_id(place), guild_id=guild_id(place))


def written(message: Outgoing) -> str:
    """What stands in the message, at most 2,000 characters where the text keeps to the limits."""
    text = defuse(message.text) if message.text.strip() else ELLIPSIS  # Discord takes no empty message
    text = hide(text) if message.spoiler else text
    return f"{text}\n{small_print(message.footer)}" if message.footer else text


def reference(place: Place, reply_to: str | None) -> discord.MessageReference | None:
    """The link to the question. One that was deleted is left out."""
    if reply_to is None or not reply_to.isdecimal():
        return None
    return discord.MessageReference(
        message_id=int(reply_to), channel_id=channel_id(place), guild_id=guild_id(place), fail_if_not_exists=False
    )
