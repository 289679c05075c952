"""What the bot lacks in a channel of Discord, and how to grant it: Discord's part of `/diagnose`."""

from __future__ import annotations

import discord

from adapters.discord.invite import NEEDED


def findings(granted: discord.Permissions, *, sees_content: bool) -> tuple[str, ...]:
    """Keys of texts, from the bot's rights there and from what it is shown of messages."""
    lacks = tuple(f"discord.lacks.{name}" for name, needed in NEEDED if needed and not getattr(granted, name))
    sight = "discord.content_seen" if sees_content else "discord.content_hint"
    return (*lacks, "discord.grant", sight) if lacks else ("discord.complete", sight)
