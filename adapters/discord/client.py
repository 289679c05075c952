"""The connection: hands Discord's events to the bot, and attaches the platform when the gateway is ready."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from itertools import count
from typing import Any, Final

import discord
import structlog
from discord import app_commands

from adapters.discord.buttons import MORE, action, pressed
from adapters.discord.catch_up import CatchUp
from adapters.discord.clickable_commands import ids_of
from adapters.discord.commands import Native, Words
from adapters.discord.context_menus import ContextMenus
from adapters.discord.download import Fetch
from adapters.discord.errors import delivering, each_by_itself
from adapters.discord.link_previews import LinkPreviews
from adapters.discord.message_content import NOBODY
from adapters.discord.modals import SettingForm
from adapters.discord.open_interactions import Interactions, may_speak
from adapters.discord.places import NAME, Shards, author_of, place_of
from adapters.discord.platform import DiscordPlatform
from adapters.discord.read_interaction import place_of_interaction
from adapters.discord.read_marks import Seen
from adapters.discord.read_message import MessageReader, Parse
from adapters.discord.receive_interactions import Reception
from adapters.discord.settings_panel import OPENING, PICK
from bot.answer_settings import SETTINGS
from bot.api import MovingBot
from bot.arrival import Arrival
from bot.backoff import listed_pause
from bot.command_registry import COMMANDS
from bot.config.schema import DiscordOptions, LimitOptions
from bot.errors import DeliveryError, PlaceGone
from bot.message import Invocation, Place
from bot.platform import Button
from bot.texts import Texts, choose_language

SYNC_PAUSES: Final = (5.0, 30.0, 120.0, 600.0)  # seconds before each further try to tell of the commands
WHOLE: Final = Shards()  # all of Discord by one connection
LONGEST_WAIT: Final = 30.0  # seconds that discord.py may wait for a rate limit by itself; a longer one is the bot's to plan around

log = structlog.get_logger(__name__)


def intents(*, sees_content: bool) -> discord.Intents:
    """What the bot asks to be told, and nothing else. Only the content is privileged."""
    return discord.Intents(guilds=True, guild_messages=True, dm_messages=True, message_content=sees_content)


class DiscordClient(discord.Client):
    """One connection, or one for each shard (`ShardedClient`). `network`: the proxy or connector that discord.py is to use."""

    def __init__(
        self,
        bot: MovingBot,
        texts: Texts,
        options: DiscordOptions,
        fetch: Fetch,
        parse: Parse,
        *,
        sees_content: bool,
        limits: LimitOptions,
        shards: Shards = WHOLE,
        **network: Any,
    ) -> None:
        # The bot says nothing aloud: that libraries for it are missing concerns nobody.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        # No cache of messages: what was said is kept in our store, and only as long as people want.
        super().__init__(
            intents=intents(sees_content=sees_content),
            allowed_mentions=NOBODY,
            max_messages=None,
            max_ratelimit_timeout=LONGEST_WAIT,
            **network,
        )
        self._connection.parsers = each_by_itself(self._connection.parsers)
        texts = texts.on(NAME)
        interactions = Interactions()
        self.platform = DiscordPlatform(self, interactions, texts, fetch)
        self._bot = bot
        self._options = options
        self._texts = texts
        self._parse = parse
        self._shards = shards
        self._reception = Reception(bot, interactions, texts, shards.serve)
        self.tree = app_commands.CommandTree(self)
        made = Native(bot, texts, self._reception, fetch, limits)
        for command in COMMANDS.values():
            self.tree.add_command(made.command(command))
        for entry in ContextMenus(texts, self._reception, fetch).entries():
            self.tree.add_command(entry)
        self._reader = MessageReader(self, fetch, parse, sees_content=sees_content)
        self._link_previews = LinkPreviews()
        self.seen = Seen(bot, shards.serve)
        self._catch_up = CatchUp(self, self.seen, limits.answer_hours)
        self._beside: set[asyncio.Task[None]] = set()  # what goes on beside the events from the start

    async def setup_hook(self) -> None:
        await self.tree.set_translator(Words(self._texts))
        await self.seen.restore()
        left = await self._reception.restore(self)
        self._beside = {asyncio.create_task(self._offer_commands()), asyncio.create_task(self._reception.clear_up(left))}

    async def close(self) -> None:
        for task in self._beside:
            task.cancel()
        if self._beside:
            await asyncio.wait(self._beside)
        await super().close()

    async def on_connect(self) -> None:
        self.seen.interrupt()

    async def on_ready(self) -> None:
        log.info("connected to Discord", servers=len(self.guilds))
        self._bot.attach(self.platform)
        await self._catch_up.find()

    async def _offer_commands(self) -> None:
        """Tell Discord of the commands, however long that takes: those that it knows work meanwhile, and so does everything else.

        Of several bots that share its servers one tells, and the others ask for the commands' ids.
        """
        for tries in count():
            try:
                with delivering():
                    known = await (self.tree.sync() if self._shards.first else self.tree.fetch_commands())
                    self.platform.command_ids.update(ids_of(known))
            except DeliveryError as error:
                if error.rejected or isinstance(error, PlaceGone):
                    log.error("Discord does not take the commands; those that it knew before go on", reason=str(error))
                    return
                log.warning("the commands could not be told to Discord yet; trying again", reason=str(error))
                await asyncio.sleep(error.retry_after or listed_pause(tries, SYNC_PAUSES))
            else:
                return

    async def on_disconnect(self) -> None:
        if not self.is_closed():
            log.warning("the connection to Discord is lost; trying again until it is back")

    async def on_resumed(self) -> None:
        log.info("connected to Discord again; nothing was missed")

    async def on_message(self, message: discord.Message) -> None:
        if self._reader.hears(message):
            await self.seen.in_order(_place(message), message.id)
        await self._receive(message, self._link_previews.wait)

    async def on_missed(self, message: discord.Message) -> None:
        """One that was sent while the bot was away (adapters/discord/catch_up.py)."""
        await self._receive(message, with_member)

    async def _receive(self, message: discord.Message, complete: Callable[[discord.Message], Awaitable[None]]) -> None:
        """`complete` adds what Discord tells later or elsewhere of a message that is for the bot."""
        heard = self._reader.hears(message)
        with self._arriving(message) if heard else nullcontext() as arrival:
            async with self.seen.reading(_place(message), message.id, heard=heard):
                if heard:
                    await complete(message)
                await self._take(message, arrival)

    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        self._link_previews.updated(payload.message)
        # Embeds that arrive late are no edit: nobody changed what was said.
        if payload.message.edited_at is not None:
            with self._arriving(payload.message) as arrival:
                await self._take(payload.message, arrival, edited=True)

    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        await self._withdraw(payload, {payload.message_id})

    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        await self._withdraw(payload, payload.message_ids)

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        await self._bot.closed(Place(NAME, "", server=str(guild.id)), server=True)
        log.warning("removed from a server: no more answers there", server=f"{NAME}:{guild.id}")

    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        await self._bot.closed(place_of(channel, channel.guild.id))

    async def on_raw_thread_delete(self, payload: discord.RawThreadDeleteEvent) -> None:
        await self._bot.closed(Place(NAME, str(payload.parent_id), str(payload.thread_id), str(payload.guild_id)))

    async def _withdraw(self, event: discord.RawMessageDeleteEvent | discord.RawBulkMessageDeleteEvent, message_ids: set[int]) -> None:
        place = place_of(await self._channel(event.channel_id, event.guild_id), event.guild_id)
        for message_id in sorted(message_ids):
            answers = await self._bot.withdraw(place, str(message_id), answers=self._options.delete_answers)
            for answer in answers:
                with suppress(DeliveryError):
                    await self.platform.delete(place, answer)

    async def _channel(self, channel_id: int, guild_id: int | None) -> discord.abc.Snowflake:
        """Discord tells a new connection of no archived thread: which channel it belongs to is asked for."""
        known = self.get_channel(channel_id)
        if known is None and guild_id is not None:
            with suppress(DeliveryError), delivering():
                return await self.fetch_channel(channel_id)
        return known or discord.Object(channel_id)

    def _arriving(self, message: discord.Message) -> AbstractContextManager[Arrival]:
        """Keep the message's place in its channel's order while it is being read."""
        return self._bot.arriving(_place(message), str(message.id), author_of(message.author))

    async def _take(self, message: discord.Message, arrival: Arrival | None = None, *, edited: bool = False) -> None:
        if incoming := await self._reader.read(message, edited=edited):
            await self._bot.handle(replace(incoming, arrival=arrival))

    async def on_interaction(self, interaction: discord.Interaction[discord.Client]) -> None:
        """Handle pressed buttons and lists; discord.py itself dispatches commands and modals."""
        if interaction.type is discord.InteractionType.application_command and may_speak(interaction):
            await self.seen.know(place_of_interaction(interaction), interaction.id)
        if interaction.type is not discord.InteractionType.component:
            return
        data: Mapping[str, Any] = interaction.data or {}
        identifier = str(data.get("custom_id", ""))
        if found := pressed(identifier):
            button, answer_id = found
            take = self._reception.take if button is Button.SETTINGS else self._reception.press
            await take(interaction, Invocation(button.value, {"answer_id": answer_id}))
        elif (said := action(identifier)) and (command := self._parse(said)):
            await self._reception.press(interaction, command)
        elif identifier == MORE:
            await self._reception.go_on(interaction)
        elif identifier == PICK:
            setting = SETTINGS[data["values"][0]]
            language = choose_language(interaction.locale.value)
            await interaction.response.send_modal(SettingForm(setting, self._texts, language, self._reception.take))
        elif identifier in OPENING:
            await self._reception.take(interaction, Invocation("settings", {"open": OPENING[identifier]}))


class ShardedClient(DiscordClient, discord.AutoShardedClient):
    """One that is told of some shards of several, each by a connection of its own."""

    def __init__(self, *args: Any, shards: Shards, **more: Any) -> None:
        super().__init__(*args, shards=shards, shard_count=shards.count, shard_ids=list(shards.mine), **more)


async def with_member(message: discord.Message) -> None:
    """In a channel's history an author comes without their roles, by which somebody may be let in or be an exception to limits."""
    if message.guild is not None and not isinstance(message.author, discord.Member) and message.webhook_id is None:
        with suppress(DeliveryError), delivering():
            message.author = await message.guild.fetch_member(message.author.id)


def _place(message: discord.Message) -> Place:
    return place_of(message.channel, message.guild.id if message.guild else None)
