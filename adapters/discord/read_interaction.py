"""Reads an interaction into the bot's words: a command with its options, wherever it was given."""

from __future__ import annotations

from collections.abc import Sequence

import discord

from adapters.discord.places import NAME, author_of, place_of
from bot.message import Address, Attachment, Author, Incoming, Invocation, Place, Reply


def invoked(
    interaction: discord.Interaction[discord.Client],
    command: Invocation,
    attachments: Sequence[Attachment] = (),
    reply_to: Reply | None = None,
) -> Incoming:
    return Incoming(
        id=str(interaction.id),
        place=place_of_interaction(interaction),
        author=person_of(interaction),
        address=Address.COMMAND,
        sent_at=interaction.created_at,
        attachments=tuple(attachments),
        reply_to=reply_to,
        command=command,
        locale=str(interaction.locale),
        unseen=True,
    )


def person_of(interaction: discord.Interaction[discord.Client]) -> Author:
    return author_of(interaction.user, interaction.permissions if interaction.guild_id else None)


def place_of_interaction(interaction: discord.Interaction[discord.Client]) -> Place:
    if interaction.channel is None:
        server = str(interaction.guild_id) if interaction.guild_id else None
        return Place(NAME, str(interaction.channel_id), server=server)
    return place_of(interaction.channel, interaction.guild_id)
