"""Which files of a Discord message the bot may be shown: attachments, forwarded ones, and pictures that Discord proxied."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Sequence
from functools import partial
from typing import Final

import discord

from adapters.discord.files import Fetch, allowed
from bot.errors import Refusal
from bot.message import Attachment

HIDDEN: Final = re.compile(r"\|\|[\s\S]+?\|\|")
PICTURES: Final = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif")


def own_files(message: discord.Message, fetch: Fetch) -> tuple[Attachment, ...]:
    """All that came with a message: what is no picture is refused later, with a word to the person."""
    here = (*attached(message.attachments, fetch), *embedded(message.embeds, message.content, fetch))
    return (*here, *forwarded(message.message_snapshots, fetch))


def shown_pictures(message: discord.Message, fetch: Fetch) -> tuple[Attachment, ...]:
    """The pictures of somebody's message that is replied to. Its other files are nobody's question."""
    return tuple(file for file in own_files(message, fetch) if looks_like_picture(file))


def forwarded(snapshots: Iterable[discord.MessageSnapshot], fetch: Fetch) -> tuple[Attachment, ...]:
    found: list[Attachment] = []
    for snapshot in snapshots:
        found += [*attached(snapshot.attachments, fetch), *embedded(snapshot.embeds, snapshot.content, fetch)]
    return tuple(found)


def attached(files: Iterable[discord.Attachment], fetch: Fetch) -> tuple[Attachment, ...]:
    return tuple(
        Attachment(file.filename, partial(fetch, file.url), file.size, file.content_type, spoiler=file.is_spoiler()) for file in files
    )


def embedded(embeds: Sequence[discord.Embed], text: str, fetch: Fetch) -> tuple[Attachment, ...]:
    """One picture an embed, where Discord fetched it itself: no other server learns of the bot."""
    found: list[Attachment] = []
    hidden = " ".join(HIDDEN.findall(text))
    for embed in embeds:
        url = embed.image.proxy_url or embed.thumbnail.proxy_url
        if url and allowed(url):
            spoiler = bool(embed.url and embed.url in hidden)
            found.append(Attachment("link", partial(fetch, url), content_type="image/*", spoiler=spoiler))
    return tuple(found)


def looks_like_picture(file: Attachment) -> bool:
    if file.content_type:
        return file.content_type.startswith("image/") and not file.content_type.startswith("image/svg")
    return file.name.lower().endswith(PICTURES)


def unseen(reason: str) -> Attachment:
    """Stands for what Discord does not show the bot; taking it in tells the person why. `reason`: a text's key."""

    async def read() -> AsyncIterator[bytes]:
        raise Refusal(reason)
        yield b""  # makes this a generator

    return Attachment("", read)
