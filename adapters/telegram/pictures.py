"""Finds the pictures of a message, and fetches them: Telegram's links hold the token, so they never leave this module."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import httpx
from telegram import Animation, Bot, Document, ExternalReplyInfo, Message, PhotoSize, Sticker, Video, VideoNote
from telegram.error import BadRequest, TelegramError

from bot.errors import DeliveryError, Refusal
from bot.message import Attachment

SERVER_LIMIT_MB = 20  # of Telegram's own servers; a Bot API server of one's own has none
CHUNK_BYTES = 1 << 16
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif")


class PictureFinder:
    """Makes attachments of what a message shows. `side`: pixels beyond which a larger size would not help. `films`: whether films can
    be opened here; else Telegram's still of each is looked at, as it always is of animated stickers (.tgs), which are drawings."""

    def __init__(self, client: Bot, http: httpx.AsyncClient, side: int, *, films: bool = False) -> None:
        self._films = films
        self._client = client
        self._http = http
        self._side = side

    def all_of(self, message: Message) -> tuple[Attachment, ...]:
        """What came with a message: what is no picture is refused later, with a word to the person."""
        if shown := self.pictures_of(message):
            return shown
        other = message.document or message.animation or message.video or message.audio
        if other is None:
            return ()
        kind = other.mime_type or "application/octet-stream"
        return (self._attachment(other.file_name or "file", other.file_id, other.file_size, kind, False),)

    def pictures_of(self, message: Message | ExternalReplyInfo) -> tuple[Attachment, ...]:
        """What it shows: a photo, a picture sent as a file, a film, or the still that stands for it."""
        spoiler = bool(message.has_media_spoiler)
        if message.photo:
            best = self._best(message.photo)
            return (self._attachment("photo.jpg", best.file_id, best.file_size, "image/jpeg", spoiler),)
        if self._films and (film := _film(message)) and (film.file_size or 0) <= SERVER_LIMIT_MB * 1_000_000:
            name = getattr(film, "file_name", None) or "film.mp4"
            return (self._attachment(name, film.file_id, film.file_size, "video/mp4", spoiler),)
        if still := _still(message):
            return (replace(self._attachment("still.jpg", still.file_id, still.file_size, None, spoiler), still=True),)
        if (sticker := message.sticker) and not (sticker.is_animated or sticker.is_video):
            return (self._attachment("sticker.webp", sticker.file_id, sticker.file_size, "image/webp", spoiler),)
        if (document := message.document) and document.thumbnail and (document.mime_type or "").startswith("video/"):
            still = document.thumbnail
            return (replace(self._attachment("still.jpg", still.file_id, still.file_size, None, spoiler), still=True),)
        if (document := message.document) and _is_picture(document.mime_type, document.file_name):
            name = document.file_name or "picture"
            return (self._attachment(name, document.file_id, document.file_size, document.mime_type, spoiler),)
        return ()

    def _best(self, sizes: tuple[PhotoSize, ...]) -> PhotoSize:
        """The smallest size that is large enough, else the largest."""
        ordered = sorted(sizes, key=lambda size: size.width * size.height)
        return next((size for size in ordered if max(size.width, size.height) >= self._side), ordered[-1])

    def _attachment(self, name: str, file_id: str, size: int | None, kind: str | None, spoiler: bool) -> Attachment:
        return Attachment(name, self._reader(file_id), size, kind, spoiler, file_id)

    def _reader(self, file_id: str) -> Callable[[], AsyncIterator[bytes]]:
        return lambda: self.read(file_id)

    async def read(self, file_id: str) -> AsyncIterator[bytes]:
        """Raises DeliveryError, and Refusal for a file that Telegram does not hand to bots."""
        address = await self._address(file_id)
        chunks = self._fetch(address) if urlsplit(address).scheme else _read_local(Path(address))
        async for chunk in chunks:
            yield chunk

    async def _address(self, file_id: str) -> str:
        try:
            file = await self._client.get_file(file_id)
        except BadRequest as error:
            if "too big" in error.message.lower():
                raise Refusal("picture.too_large", limit=SERVER_LIMIT_MB) from None
            raise DeliveryError(f"a file can't be had: {error.message}") from None
        except TelegramError as error:
            raise DeliveryError(f"a file can't be had: {error.message}") from None
        if file.file_path is None:
            raise DeliveryError("a file can't be had: it has no address")
        return file.file_path

    async def _fetch(self, address: str) -> AsyncIterator[bytes]:
        try:
            async with self._http.stream("GET", address) as response:
                if response.is_error:
                    raise DeliveryError(f"a file can't be had: HTTP {response.status_code}")
                async for chunk in response.aiter_bytes(CHUNK_BYTES):
                    yield chunk
        except httpx.HTTPError as error:
            raise DeliveryError(f"a file can't be had: {type(error).__name__}") from None


async def _read_local(path: Path) -> AsyncIterator[bytes]:
    """A Bot API server of one's own in local mode names a file of this machine."""
    try:
        async with await anyio.open_file(path, "rb") as file:
            while chunk := await file.read(CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise DeliveryError(f"a file can't be had: {error.strerror}") from None


def _still(message: Message | ExternalReplyInfo) -> PhotoSize | None:
    sticker = message.sticker if message.sticker and (message.sticker.is_animated or message.sticker.is_video) else None
    moving = message.animation or message.video or message.video_note or sticker
    return moving.thumbnail if moving else None


def _film(message: Message | ExternalReplyInfo) -> Animation | Video | VideoNote | Sticker | Document | None:
    """What moves and is a film: animations, which Telegram keeps without sound, video notes and video stickers, too."""
    sticker = message.sticker if message.sticker and message.sticker.is_video else None
    document = message.document if message.document and (message.document.mime_type or "").startswith("video/") else None
    return message.animation or message.video or message.video_note or sticker or document


def _is_picture(kind: str | None, name: str | None) -> bool:
    return bool(kind and kind.startswith("image/")) or bool(name and name.lower().endswith(PICTURE_ENDINGS))
