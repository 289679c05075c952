"""Finds what people sent while the bot was away: a new connection is not told of it, so that the channels' history is asked."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

import discord
import structlog

from adapters.discord.errors import delivering
from adapters.discord.places import channel_id
from adapters.discord.read_marks import Seen, Trail
from bot.errors import DeliveryError, PlaceGone

MOST: Final = 500  # messages of one channel, the newest; a hundred a request
CHANNELS: Final = 500  # of a round: each takes a request or two
OLDEST_HOURS: Final = 24.0  # as Telegram keeps them; what is too old for an answer is told so
PAUSES: Final = (2.0, 5.0, 10.0, 20.0, 30.0, 60.0)  # seconds before each further try

Written = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.Thread

log = structlog.get_logger(__name__)


class CatchUp:
    """Finds missed messages and dispatches each as the client's event `missed`, oldest first in each channel.

    `answer_hours`: how old a message may be to be answered; 0 = of any age.
    """

    def __init__(self, client: discord.Client, seen: Seen, answer_hours: float) -> None:
        self._client = client
        self._seen = seen
        self._hours = max(OLDEST_HOURS, answer_hours) if answer_hours else None
        self._round = 0

    async def find(self) -> None:
        """Look through all channels with a gap: those where somebody waits for it, then the most recently used. A later call, for a newer
        connection, ends an earlier one."""
        self._round += 1
        mine = self._round
        for pause in (*PAUSES, None):
            left = sorted(self._seen.gaps(), key=self._newest, reverse=True)[:CHANNELS]
            while left:
                left.sort(key=lambda trail: not trail.wanted)  # stable
                trail = left.pop(0)
                messages = None if self._is_hidden(trail) else await self._messages(trail)
                if self._round != mine:
                    return
                if messages is not None:
                    self._hand_over(trail, messages)
            if pause is None or not self._seen.gaps():
                break
            await asyncio.sleep(pause)
            if self._round != mine:
                return
        for trail in self._seen.gaps():
            log.warning("what was missed could not be read", place=trail.place.key)
            trail.close()

    def _hand_over(self, trail: Trail, messages: list[discord.Message]) -> None:
        """Handle each message as one that comes just now, several at once."""
        missed = [message for message in reversed(messages) if trail.misses(message.id)]
        for message in missed:
            trail.begin(message.id)
            self._client.dispatch("missed", message)
        trail.close()
        if missed:
            log.info("read what was missed", place=trail.place.key, messages=len(missed))

    async def _messages(self, trail: Trail) -> list[discord.Message] | None:
        """The newest after the trail's mark, newest first; None where asking again may help."""
        try:
            with delivering():
                channel = await self._channel(trail)
                if channel is None:
                    return []
                oldest = discord.Object(max(trail.mark, self._horizon()))
                return [message async for message in channel.history(limit=MOST, after=oldest, oldest_first=False)]
        except PlaceGone as error:
            log.info("what was missed can't be read", place=trail.place.key, reason=str(error))
            return []
        except DeliveryError as error:
            log.warning("what was missed can't be read yet", place=trail.place.key, reason=str(error))
            return None

    def _is_hidden(self, trail: Trail) -> bool:
        """Whether Discord has not told of the server yet: it does soon after the start, or after an outage."""
        guild = self._client.get_guild(int(trail.place.server)) if trail.place.server else None
        return guild is not None and guild.unavailable

    def _newest(self, trail: Trail) -> int:
        """The newest message there, as far as Discord has told."""
        channel = self._client.get_channel(channel_id(trail.place))
        return max(trail.mark, getattr(channel, "last_message_id", None) or 0)

    async def _channel(self, trail: Trail) -> discord.abc.Messageable | None:
        """Where to look; None where the bot may not, or where nothing was said since. Raises what discord.py raises."""
        place = trail.place
        if place.server is None:
            return self._client.get_partial_messageable(channel_id(place))
        guild = self._client.get_guild(int(place.server))
        if guild is None:  # the bot was removed
            return None
        channel = guild.get_channel_or_thread(channel_id(place)) or await guild.fetch_channel(channel_id(place))
        if not isinstance(channel, Written) or not channel.permissions_for(guild.me).read_message_history:
            return None
        newest = channel.last_message_id
        return channel if newest is None or newest > trail.mark else None

    def _horizon(self) -> int:
        """The message id before which everything is too old to be answered or refused."""
        if self._hours is None:
            return 0
        return discord.utils.time_snowflake(datetime.now(UTC) - timedelta(hours=self._hours))
