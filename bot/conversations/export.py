"""Exports one conversation as a zip: Markdown to read, JSON to process, and the pictures.

The Markdown may be shown anywhere later: what people and models wrote is made harmless.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from bot.api import Remembered
from bot.conversations.harmless_markdown import harmless
from bot.store.pictures import PictureFiles

PNG = b"\x89PNG"


async def write_conversation(file: Path, messages: Sequence[Remembered], files: PictureFiles) -> None:
    """`messages`: the messages of all branches, oldest first. A picture that was deleted meanwhile is left out."""
    await asyncio.to_thread(_write, file, messages, {sha256: files.path(sha256) for message in messages for sha256 in message.pictures})


def _write(file: Path, messages: Sequence[Remembered], paths: Mapping[str, Path]) -> None:
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        names = dict(_pictures(archive, paths))
        archive.writestr("conversation.md", "".join(_page(messages, names)))
        records = [_record(message, names) for message in messages]
        archive.writestr("conversation.json", json.dumps(records, ensure_ascii=False, indent=1))


def _pictures(archive: ZipFile, paths: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
    for number, (sha256, path) in enumerate(paths.items(), 1):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue
        name = f"pictures/{number}.{'png' if data.startswith(PNG) else 'jpg'}"
        archive.writestr(name, data, ZIP_STORED)
        yield sha256, name


def _page(messages: Sequence[Remembered], names: Mapping[str, str]) -> Iterator[str]:
    """The messages in order of time. One that does not continue the message above it names the one that it continues."""
    numbers = {message.id: number for number, message in enumerate(messages, 1)}
    for above, message in zip((None, *messages), messages, strict=False):
        who = "🪿" if message.role == "assistant" else "🧑"
        after = numbers.get(message.parent or 0)
        branch = f" · ↳ {after}" if after and (above is None or above.id != message.parent) else ""
        yield f"### {numbers[message.id]} {who} {message.at:%Y-%m-%d %H:%M} UTC{branch}\n\n"
        yield from (f"![]({names[sha256]})\n\n" for sha256 in message.pictures if sha256 in names)
        yield f"{harmless(message.text)}\n\n"


def _record(message: Remembered, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": message.id,
        "parent": message.parent,
        "role": message.role,
        "text": message.text,
        "pictures": [names[sha256] for sha256 in message.pictures if sha256 in names],
        "at": message.at.isoformat(),
        "footer": message.footer,
    }
