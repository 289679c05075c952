"""Reads a Discord message into the bot's words: where, who, how it reached the bot, what it shows and what it replies to."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final

import discord

from adapters.discord.download import Fetch
from adapters.discord.errors import delivering
from adapters.discord.pictures import own_files, shown_pictures, unseen
from adapters.discord.places import author_of, place_of
from bot.errors import DeliveryError
from bot.message import Address, Attachment, Incoming, Invocation, Reply, Value

SPOKEN: Final = frozenset({discord.MessageType.default, discord.MessageType.reply})
# What people are called is a stranger's text: the model is shown that somebody is meant, and not whom.
MARKUP: Final = (
    (re.compile(r"<@!?\d+>"), "@user"),
    (re.compile(r"<@&\d+>"), "@role"),
    (re.compile(r"<#\d+>"), "#channel"),
    (re.compile(r"<a?(:\w+:)\d+>"), r"\1"),
    (re.compile(r"</([^:>]+):\d+>"), r"/\1"),
)

EXCERPT: Final = 500  # characters of a message that is replied to

MENTIONED: Final = re.compile(r"<(?:@[!&]?|#)\d+>")

Parse = Callable[[str], Invocation | None]


class MessageReader:
    """Turns messages into events. `sees_content`: the bot was given the message-content intent."""

    def __init__(self, client: discord.Client, fetch: Fetch, parse: Parse, *, sees_content: bool) -> None:
        self._client = client
        self._fetch = fetch
        self._parse = parse
        self._sees_content = sees_content

    def hears(self, message: discord.Message) -> bool:
        """Whether the message is for the bot."""
        spoken = message.type in SPOKEN and message.author != self._client.user
        return spoken and self._address(message) is not Address.OVERHEARD

    async def read(self, message: discord.Message, *, edited: bool = False) -> Incoming | None:
        """The event; None for the bot's own messages and for the platform's notices."""
        if message.type not in SPOKEN or message.author == self._client.user:
            return None
        address = self._address(message)
        heard = address is not Address.OVERHEARD
        hidden = heard and await self._is_hidden(message)
        said = self._said(message)
        command = self._parse(said) if heard else None
        return Incoming(
            id=str(message.id),
            place=place_of(message.channel, message.guild.id if message.guild else None),
            author=author_of(message.author, permissions_in(message), webhook=message.webhook_id is not None),
            address=Address.COMMAND if command else address,
            sent_at=message.created_at,
            text=neutral(said),
            attachments=(unseen("discord.words_unseen"),) if hidden else own_files(message, self._fetch),
            reply_to=await self._reply(message) if heard else None,
            command=command and replace(command, options={name: _option(value) for name, value in command.options.items()}),
            locale=locale_of(message.guild),
            edited=edited,
            apart=True,
            forwarded=bool(message.message_snapshots),
            blind="" if self._sees_content or message.guild is None else "discord.pictures_unseen",
            starter=partial(self._starter, message.channel) if heard and isinstance(message.channel, discord.Thread) else None,
        )

    async def _is_hidden(self, message: discord.Message) -> bool:
        """Whether Discord keeps from the bot what stands in a message that is meant for it, such as a reply that pings nobody: it is
        looked up, which rarely helps."""
        if self._sees_content or message.guild is None or message.content or message.attachments or message.stickers:
            return False
        if found := await self._find(message.channel, message.id):
            message.content, message.attachments = found.content, found.attachments
        return not (message.content or message.attachments)

    async def _starter(self, thread: discord.Thread) -> Reply | None:
        """The message that a thread began with: a forum's stands in the thread, any other in the channel."""
        channel = thread.parent
        where = thread if isinstance(channel, discord.ForumChannel) else channel if isinstance(channel, discord.TextChannel) else None
        began = thread.starter_message or (await self._find(where, thread.id) if where else None)
        return self._reply_to(began) if began else None

    def _address(self, message: discord.Message) -> Address:
        if message.guild is None:
            return Address.PRIVATE
        if self._mention(message.guild).search(message.content):
            return Address.MENTION
        replied = replied_message(message)
        if replied is not None and replied.author == self._client.user:
            return Address.REPLY
        # Without the content the platform still tells who is mentioned.
        mentioned = self._client.user in message.mentions and message.reference is None
        return Address.MENTION if mentioned else Address.OVERHEARD

    def _mention(self, guild: discord.Guild | None) -> re.Pattern[str]:
        """The bot's mention; its own role's counts too: the two look the same to people."""
        role = guild.self_role if guild else None
        names = [f"@!?{self._client.user.id}"] if self._client.user else []
        return re.compile("<(?:" + "|".join([*names, *([f"@&{role.id}"] if role else [])]) + ")>")

    def _said(self, message: discord.Message) -> str:
        said = message.content or "\n".join(snapshot.content for snapshot in message.message_snapshots)
        return self._mention(message.guild).sub(" ", said).strip()

    async def _reply(self, message: discord.Message) -> Reply | None:
        link = message.reference
        if link is None or link.message_id is None or link.type is not discord.MessageReferenceType.reply:
            return None
        replied = replied_message(message)
        if replied is None and not isinstance(link.resolved, discord.DeletedReferencedMessage):
            replied = await self._find(message.channel, link.message_id)
        if replied is None:
            return Reply(str(link.message_id), attachments=() if message.attachments else (unseen("discord.history_unseen"),))
        return self._reply_to(replied)

    def _reply_to(self, replied: discord.Message) -> Reply:
        ours = replied.author == self._client.user
        words = neutral(replied.content)[:EXCERPT]
        return Reply(str(replied.id), author_of(replied.author), () if ours else self._shown(replied), ours, words=words)

    def _shown(self, replied: discord.Message) -> tuple[Attachment, ...]:
        empty = not (replied.content or replied.attachments or replied.embeds or replied.message_snapshots or replied.stickers)
        if empty and not self._sees_content and replied.guild is not None:
            return (unseen("discord.content_unseen"),)
        return shown_pictures(replied, self._fetch)

    async def _find(self, channel: discord.abc.Messageable, message_id: int) -> discord.Message | None:
        with suppress(DeliveryError), delivering():
            return await channel.fetch_message(message_id)
        return None


def neutral(text: str) -> str:
    """`text` without the names of others."""
    for pattern, words in MARKUP:
        text = pattern.sub(words, text)
    return text


def _option(value: Value) -> Value:
    """A typed option; a mention alone is whom a command is about."""
    return neutral(value) if isinstance(value, str) and not MENTIONED.fullmatch(value.strip()) else value


def replied_message(message: discord.Message) -> discord.Message | None:
    """What the platform sent along with a reply."""
    resolved = message.reference.resolved if message.reference else None
    return resolved if isinstance(resolved, discord.Message) else None


def permissions_in(message: discord.Message) -> discord.Permissions | None:
    if isinstance(message.author, discord.Member):
        return message.channel.permissions_for(message.author)
    return None


def locale_of(guild: discord.Guild | None) -> str | None:
    """A community says its language; elsewhere Discord's default would pass for a choice."""
    return str(guild.preferred_locale) if guild and "COMMUNITY" in guild.features else None
