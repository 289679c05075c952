"""Which files of a Discord message the bot may be shown: attachments, stickers, forwarded ones, and pictures that Discord proxied."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit

import discord

from adapters.discord.download import Fetch, allowed
from bot.errors import Refusal
from bot.message import Attachment

HIDDEN: Final = re.compile(r"\|\|[\s\S]+?\|\|")
PICTURES: Final = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif", ".mp4", ".mov", ".webm")


def own_files(message: discord.Message, fetch: Fetch) -> tuple[Attachment, ...]:
    """All that came with a message, or with the one that it forwards: what is no picture is refused later, with a word to the person."""
    forwarded = (file for snapshot in message.message_snapshots for file in _files_of(snapshot, fetch))
    return (*_files_of(message, fetch), *forwarded)


def shown_pictures(message: discord.Message, fetch: Fetch) -> tuple[Attachment, ...]:
    """The pictures of somebody's message that is replied to. Its other files are nobody's question."""
    return tuple(file for file in own_files(message, fetch) if looks_like_picture(file))


def _files_of(part: discord.Message | discord.MessageSnapshot, fetch: Fetch) -> tuple[Attachment, ...]:
    uploaded = {file.id for file in part.attachments}
    components = getattr(part, "components", ())  # discord.py has none where Discord told none
    composed = tuple(_composed(components, fetch, uploaded))
    return (
        *attached(part.attachments, fetch),
        *composed,
        *_stickers(part.stickers, fetch),
        *embedded(part.embeds, part.content, fetch),
    )


def _composed(parts: Iterable[Any], fetch: Fetch, known: Collection[int], *, hidden: bool = False) -> Iterator[Attachment]:
    """The galleries, thumbnails and files of a message that is made of components. `known`: attachments that are told besides."""
    for part in parts:
        spoiler = hidden or bool(getattr(part, "spoiler", False))
        if isinstance(part, discord.MediaGalleryComponent):
            yield from _composed(part.items, fetch, known, hidden=spoiler)
        elif isinstance(part, discord.MediaGalleryItem | discord.ThumbnailComponent | discord.FileComponent):
            yield from _medium(part.media, fetch, known, spoiler=spoiler)
        elif isinstance(part, discord.SectionComponent):
            yield from _composed([part.accessory], fetch, known, hidden=spoiler)
        elif isinstance(part, discord.Container):
            yield from _composed(part.children, fetch, known, hidden=spoiler)


def _medium(medium: discord.UnfurledMediaItem, fetch: Fetch, known: Collection[int], *, spoiler: bool) -> Iterator[Attachment]:
    """Where Discord holds it itself: no other server learns of the bot."""
    url = next((each for each in (medium.proxy_url, medium.url) if each and allowed(each)), None)
    if url and medium.attachment_id not in known:
        yield Attachment(PurePosixPath(urlsplit(url).path).name, partial(fetch, url), None, medium.content_type, spoiler, url)


def attached(files: Iterable[discord.Attachment], fetch: Fetch) -> tuple[Attachment, ...]:
    return tuple(
        Attachment(file.filename, partial(fetch, file.url), file.size, file.content_type, file.is_spoiler(), file.url) for file in files
    )


def _stickers(stickers: Iterable[discord.StickerItem], fetch: Fetch) -> Iterator[Attachment]:
    for sticker in stickers:
        kind = "application/json" if sticker.format is discord.StickerFormatType.lottie else "image/*"  # a drawing that moves
        yield Attachment(sticker.name, partial(fetch, sticker.url), content_type=kind, reference=sticker.url)


def embedded(embeds: Sequence[discord.Embed], text: str, fetch: Fetch) -> tuple[Attachment, ...]:
    """One picture an embed, where Discord fetched it itself: no other server learns of the bot."""
    found: list[Attachment] = []
    hidden = " ".join(HIDDEN.findall(text))
    for embed in embeds:
        url = embed.image.proxy_url or embed.thumbnail.proxy_url
        if url and allowed(url):
            spoiler = bool(embed.url and embed.url in hidden)
            found.append(Attachment("link", partial(fetch, url), content_type="image/*", spoiler=spoiler, reference=url))
    return tuple(found)


def looks_like_picture(file: Attachment) -> bool:
    """A picture or a film."""
    if file.content_type:
        return file.content_type.startswith(("image/", "video/")) and not file.content_type.startswith("image/svg")
    return file.name.lower().endswith(PICTURES)


def unseen(reason: str) -> Attachment:
    """Stands for what Discord does not show the bot; taking it in tells the person why. `reason`: a text's key."""

    async def read() -> AsyncIterator[bytes]:
        raise Refusal(reason)
        yield b""  # makes this a generator

    return Attachment("", read)
