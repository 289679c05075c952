"""Where things are said and who says them, in the bot's words and in Discord's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import discord

from bot.message import Author, Place

NAME = "discord"
SHARD_BITS: Final = 22  # of an id, which do not count for the shard
SPOKEN_IN = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.ForumChannel | discord.Thread


def place_of(channel: discord.abc.Snowflake, guild_id: int | None) -> Place:
    """The place of any channel; a thread stands under its parent and inherits from it."""
    server = str(guild_id) if guild_id else None
    adult = isinstance(channel, SPOKEN_IN) and channel.is_nsfw()  # a thread is what its channel is
    if isinstance(channel, discord.Thread):
        return Place(NAME, str(channel.parent_id), str(channel.id), server, age_restricted=adult)
    group = isinstance(channel, discord.GroupChannel)
    return Place(NAME, str(channel.id), server=server, private=server is None and not group, age_restricted=adult)


def channel_id(place: Place) -> int:
    """The channel that messages of this place go to."""
    return int(place.thread or place.channel)


def guild_id(place: Place) -> int | None:
    return int(place.server) if place.server else None


@dataclass(frozen=True, slots=True)
class Shards:
    """Which parts of Discord this bot is told of: `mine`, of `count`. Servers are spread over them by their ids; what belongs to none, such
    as a private chat, is shard 0's."""

    count: int = 1
    mine: tuple[int, ...] = (0,)

    @property
    def first(self) -> bool:
        """Whether this bot does what is done once for all of Discord."""
        return 0 in self.mine

    def serve(self, place: Place) -> bool:
        return ((int(place.server) >> SHARD_BITS) % self.count if place.server else 0) in self.mine


def author_of(user: discord.abc.User, permissions: discord.Permissions | None = None, *, webhook: bool = False) -> Author:
    """`permissions`: the person's in the channel; None: where there is nothing to manage."""
    manages = bool(permissions and (permissions.manage_channels or permissions.manage_guild))
    member = isinstance(user, discord.Member) and bool(user.guild)  # discord.py has none where the server is not known yet
    roles = frozenset(str(role.id) for role in user.roles) if isinstance(user, discord.Member) and member else frozenset[str]()
    moderates = bool(permissions and permissions.manage_messages)
    return Author(NAME, str(user.id), user.display_name, user.bot or webhook, manages, roles, moderates)
