"""Messages with files: Telegram shows a picture with its words as a caption, and sends anything else as a document."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from telegram import Bot

from adapters.telegram.formatting import Formatted
from bot.errors import FileRefused

SHOWN: Final = frozenset({".jpg", ".jpeg", ".png"})


async def send_enclosed(client: Bot, chat: int, files: Sequence[Path], words: Formatted, **options: Any) -> int:
    """The first file carries the words and the `options` of the message, such as its buttons. The first message's id.

    Raises FileRefused for a file that is gone.
    """
    first = await _send(client, chat, files[0], caption=words.text, caption_entities=words.entities, **options)
    for file in files[1:]:
        await _send(client, chat, file, message_thread_id=options.get("message_thread_id"))
    return first


async def _send(client: Bot, chat: int, file: Path, **options: Any) -> int:
    try:
        data = await asyncio.to_thread(file.read_bytes)
    except OSError as error:  # an export that was deleted while it waited
        raise FileRefused(f"{file.name} can't be read: {error.strerror}") from None
    if file.suffix in SHOWN:
        return (await client.send_photo(chat, data, filename=file.name, **options)).message_id
    return (await client.send_document(chat, data, filename=file.name, **options)).message_id
