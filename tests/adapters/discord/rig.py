"""A simulated Discord (simcord) around the real client: one server with a channel, a person in it, and what they see."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import discord
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle, GuildHandle
from simcord.env import Env

from adapters.discord.client import DiscordClient
from adapters.discord.places import NAME
from bot.api import MovingBot
from bot.command_registry import COMMANDS
from bot.commands.parser import parse_command
from bot.config.schema import DiscordOptions, LimitOptions
from bot.message import Address, Invocation, Place
from bot.platform import Button
from bot.texts import load_texts
from tests.adapters.conformance import Listener, Rig
from tests.bot.rig import UNHURRIED

TEXTS = load_texts()
PLAIN = DiscordOptions()
PROXIED = "https://images-ext-1.discordapp.net/external/abc/https/goose.example/goose.png"  # Discord's own copy
AT_ONCE: dict[str, Any] = {"guild_ready_timeout": 0.0}  # seconds that a client waits for more servers before it is ready


def typed(text: str) -> Invocation | None:
    """The command that somebody typed, as the services reads it."""
    return parse_command(text, COMMANDS, TEXTS)


@dataclass
class Cdn:
    """Discord's file server: hands out what simcord's people uploaded, and what stands `elsewhere`, by address."""

    env: Env | None = None
    elsewhere: dict[str, bytes] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)

    async def fetch(self, url: str) -> AsyncIterator[bytes]:
        self.fetched.append(url)
        if url in self.elsewhere:
            yield self.elsewhere[url]
        elif self.env is not None:
            yield self.env.backend.cdn.get(url) or b""


@dataclass
class Server:
    """A server where Ann and Bob talk, with the bot among them."""

    env: Env
    client: DiscordClient
    guild: GuildHandle
    channel: ChannelHandle
    ann: MemberActor
    bob: MemberActor
    cdn: Cdn

    @property
    def mention(self) -> str:
        if self.client.user is None:
            raise LookupError("the bot is not logged in")
        return self.client.user.mention

    @property
    def place(self) -> Place:
        return Place(NAME, str(self.channel.id), server=str(self.guild.id))

    def keeper(self) -> MemberActor:
        """Somebody who manages the server."""
        keepers = self.guild.create_role("keepers", permissions=discord.Permissions.all())
        return self.guild.add_member(self.env.create_user("keeper"), roles=[keepers])

    def said(self, channel: ChannelHandle | None = None) -> list[discord.Message]:
        """The bot's messages in a channel, oldest first."""
        return [message for message in (channel or self.channel).history() if message.author == self.client.user]


Make = Callable[[Cdn], DiscordClient]


def new_client(
    bot: MovingBot,
    cdn: Cdn,
    *,
    sees_content: bool = True,
    options: DiscordOptions = PLAIN,
    limits: LimitOptions = UNHURRIED,
    **network: Any,
) -> DiscordClient:
    return DiscordClient(bot, TEXTS, options, cdn.fetch, typed, sees_content=sees_content, limits=limits, **network)


def client_of(bot: MovingBot, **options: Any) -> Make:
    return lambda cdn: new_client(bot, cdn, **options)


@asynccontextmanager
async def on_server(make: Make, **options: Any) -> AsyncIterator[Server]:
    """What went wrong in the client fails the test."""
    cdn = Cdn()
    client = make(cdn)
    # `simcord.run` would set its clock in the fixture's context and take it back in another.
    env = cdn.env = Env(client, settle_timeout=90.0, **options)
    await env.start()
    try:
        guild = env.create_guild()
        channel = guild.create_text_channel("geese")
        ann, bob = (guild.add_member(env.create_user(name)) for name in ("ann", "bob"))
        yield Server(env, client, guild, channel, ann, bob, cdn)
    finally:
        await env.shutdown()
    env.raise_errors()


class DiscordRig(Rig):
    """The conformance suite's person, who is Ann."""

    addressed = Address.MENTION

    def __init__(self, server: Server, bot: Listener) -> None:
        self.server = server
        self.platform = server.client.platform
        self.place = server.place
        self.bot = bot

    async def say(self, text: str, pictures: Sequence[bytes] = (), reply_to: str | None = None) -> None:
        files = [(f"{number}.png", picture) for number, picture in enumerate(pictures)]
        replied = None if reply_to is None else next(each for each in self.server.said() if str(each.id) == reply_to)
        await self.server.ann.send(self.server.channel, f"{self.server.mention} {text}", reply_to=replied, attachments=files)

    async def press(self, message_id: str, button: Button, answer_id: int) -> None:
        message = next(each for each in self.server.said() if str(each.id) == message_id)
        await self.server.ann.click(message, custom_id=f"gander:{button.value}:{answer_id}")

    async def shown(self) -> dict[str, str]:
        return {str(message.id): message.content for message in self.server.said()}

    async def pinged(self) -> list[str]:
        pinged = [user.name for message in self.server.said() for user in message.mentions]
        return pinged + ["everyone" for message in self.server.said() if message.mention_everyone]
