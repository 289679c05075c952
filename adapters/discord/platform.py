"""Discord as the bot sees it (bot/platform.py): sends, edits, deletes and types, and pings nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, NoReturn

import discord

from adapters.discord.buttons import more_view
from adapters.discord.clickable_commands import longer_by
from adapters.discord.diagnosis import findings
from adapters.discord.download import Fetch
from adapters.discord.errors import InteractionGone, delivering
from adapters.discord.markdown import defuse, hide
from adapters.discord.message_content import Content, content_of
from adapters.discord.open_interactions import MESSAGE_LENGTH, MESSAGES, Interactions, Live
from adapters.discord.places import NAME, channel_id, guild_id, place_of
from bot.errors import DeliveryError, FileRefused, NotPrivate, PlaceGone
from bot.message import Incoming, Place
from bot.platform import EditBudget, Limits, Outgoing
from bot.texts import Texts, choose_language

ASK_AGAIN_SECONDS: Final = 5.0  # whether the button was pressed
WATCH_SECONDS: Final = 10.0  # between two looks for interactions whose time is over
REMEMBERED: Final = 1_000  # messages
RESERVE: Final = 50  # of a message, for the marks of small print


class DiscordLimits(Limits):
    """A text counts as long as it can become: defused, under spoiler tags, its commands clickable. Discord counts code points."""

    def length(self, text: str) -> int:
        return len(hide(defuse(text))) + 2 * text.count("http") + longer_by(text)  # links may be put in brackets


ANSWERED_ELSEWHERE: Final = frozenset({"again", "continue"})  # by a reply to the question

LIMITS: Final = DiscordLimits(
    text=MESSAGE_LENGTH - RESERVE,
    budget=EditBudget(edits=5, seconds=5.0),
    typing_seconds=10.0,
    deduplicates=True,
    file_bytes=10 << 20,
    messages=MESSAGES,
    private_files=True,
)


class DiscordPlatform:
    """bot.platform.Platform on a client that is logged in. Needs no cache: ids are enough."""

    name = NAME
    limits: Limits = LIMITS

    def __init__(self, client: discord.Client, interactions: Interactions, texts: Texts, fetch: Fetch) -> None:
        self._client = client
        self._interactions = interactions
        self._texts = texts
        self._fetch = fetch
        self.command_ids: dict[str, int] = {}  # by name, once Discord has told them
        self._pictured: dict[str, None] = {}  # messages that show a small picture already

    def reopen(self, reference: str) -> AsyncIterator[bytes]:
        return self._fetch(reference)

    async def send(self, place: Place, message: Outgoing, *, reply_to: str | None, nonce: str) -> str:
        if live := self._interactions.way(place, reply_to):
            try:
                return await self._say(live, place, message)
            except InteractionGone:
                self._interactions.drop(live)
                if live.only_way:
                    raise
        with delivering():
            content = content_of(self._allowed(place, message, None), self._texts, self.command_ids)
            link = reference(place, reply_to)
            optional: dict[str, Any] = {"reference": link} if link else {}
            sent = await self._channel(place).send(**content.sent(), nonce=nonce, **optional)
        return self._noted(str(sent.id), content)

    def can_reply_privately(self, event: str) -> bool:
        return True

    async def reply_privately(self, place: Place, message: Outgoing, *, event: str, nonce: str) -> str:
        live = self._interactions.aside(place, event, message.reader.id if message.reader else None)
        if live is None:
            raise NotPrivate("Discord shows nothing to one person alone but by an interaction of theirs")
        try:
            return await self._say(live, place, message, private=True)
        except InteractionGone as error:
            self._interactions.drop(live)
            raise NotPrivate(str(error)) from error

    async def private_place(self, person: str) -> Place:
        with delivering():
            return place_of(await self._client.create_dm(discord.Object(int(person))), None)

    async def acknowledge(self, incoming: Incoming) -> None:
        live = self._interactions.find(incoming.id)
        if live is not None and incoming.command and incoming.command.name in ANSWERED_ELSEWHERE:
            with suppress(DeliveryError), delivering():
                await live.stop_thinking()

    async def edit(self, place: Place, message_id: str, message: Outgoing) -> None:
        with delivering():
            live = self._interactions.showing(place, message_id)
            content = content_of(self._allowed(place, message, live), self._texts, self.command_ids)
            content = replace(content, shown_already=message_id in self._pictured)
            if live:
                await self._check(live)
                await live.edit(message_id, content)
                self._interactions.note(live, message.answer_id, final=message.final)
            else:
                await self._channel(place).get_partial_message(int(message_id)).edit(**content.edited())
        self._noted(message_id, content)

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
        granted = self._granted(incoming.place, self._interactions.find(incoming.id))
        return findings(granted, sees_content=self._client.intents.message_content)

    async def watch(self) -> NoReturn:
        """Hand over, in time, what interactions have not finished. Until cancelled."""
        while True:
            await self.hand_over()
            await asyncio.sleep(WATCH_SECONDS)

    async def hand_over(self) -> None:
        """Whoever waits by an interaction whose time is over is told how it goes on."""
        for live in self._interactions.ending():
            with suppress(DeliveryError), delivering():
                if live.only_way:
                    await self._offer_more(live)
                elif live.thinking:
                    await live.say_later(self._texts.render(_language(live), "discord.later"))

    async def _say(self, live: Live, place: Place, message: Outgoing, *, private: bool = False) -> str:
        with delivering():
            content = content_of(self._allowed(place, message, live), self._texts, self.command_ids)
            await self._check(live)
            name = await live.send(content, private=private)
        self._interactions.note(live, message.answer_id, final=message.final)
        return self._noted(name, content)

    def _noted(self, message_id: str, content: Content) -> str:
        if content.picture is not None:
            self._pictured[message_id] = None
            if len(self._pictured) > REMEMBERED:
                del self._pictured[next(iter(self._pictured))]
        return message_id

    async def _check(self, live: Live) -> None:
        """Raises DeliveryError where only a new interaction would do; somebody is offered a button that makes one."""
        if not self._interactions.spent(live):
            return
        if self._interactions.hopeless(live):
            raise PlaceGone("nobody wanted to see the rest of the answer")
        if not live.handed_over:
            await self._offer_more(live)
        raise DeliveryError("Discord lets the bot say no more here until somebody presses the button", ASK_AGAIN_SECONDS)

    async def _offer_more(self, live: Live) -> None:
        language = _language(live)
        await live.hand_over(self._texts.render(language, "discord.more"), more_view(self._texts, language))

    def _allowed(self, place: Place, message: Outgoing, live: Live | None) -> Outgoing:
        """The message, without files where the bot may attach none: Discord would refuse all of it. Raises FileRefused for a text
        that goes on in a file."""
        if not (message.whole or message.files or message.picture) or self._granted(place, live).attach_files:
            return message
        if message.whole:
            raise FileRefused("the bot may not attach files there")
        if not message.files:
            return replace(message, picture=None)
        note = self._texts.render(message.language, "discord.no_files")
        return replace(message, files=(), picture=None, footer=" · ".join(filter(None, (message.footer, note))))

    def _granted(self, place: Place, live: Live | None) -> discord.Permissions:
        """The bot's rights: as the interaction says, else as Discord told them at first and told of changes since."""
        if live:
            return live.granted
        channel = self._client.get_channel(channel_id(place))
        if isinstance(channel, discord.abc.GuildChannel | discord.Thread):
            return channel.permissions_for(channel.guild.me)
        return discord.Permissions.none() if place.server else discord.Permissions.all()

    def _channel(self, place: Place) -> discord.PartialMessageable:
        return self._client.get_partial_messageable(channel_id(place), guild_id=guild_id(place))


def reference(place: Place, reply_to: str | None) -> discord.MessageReference | None:
    """The link to the question. One that was deleted is left out."""
    if reply_to is None or not reply_to.isdecimal():
        return None
    return discord.MessageReference(
        message_id=int(reply_to), channel_id=channel_id(place), guild_id=guild_id(place), fail_if_not_exists=False
    )


def _language(live: Live) -> str:
    return choose_language(live.locale)
