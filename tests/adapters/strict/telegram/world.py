"""What Telegram knows: chats, their messages, people, files, and the updates that wait for the bot."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

Json = dict[str, Any]

ME: Json = {
    "id": 4242,
    "is_bot": True,
    "first_name": "Gander",
    "username": "gander_bot",
    "can_join_groups": True,
    "can_read_all_group_messages": True,
    "supports_inline_queries": False,
}
ANN: Json = {"id": 1001, "is_bot": False, "first_name": "Ann", "language_code": "en"}
CAPTIONED = {"photo", "document", "animation", "video"}
BOB: Json = {"id": 1002, "is_bot": False, "first_name": "Bob", "language_code": "zh-hans"}


@dataclass
class World:
    """Telegram's side. People act through it; the server (server.py) lets the bot act on it."""

    chats: dict[int, Json] = field(default_factory=dict)
    messages: dict[tuple[int, int], Json] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    privacy: bool = False  # Telegram's privacy mode: of a group the bot is told only what is meant for it
    managers: set[tuple[int, int]] = field(default_factory=set)  # chat, person
    reactions: dict[tuple[int, int], list[Json]] = field(default_factory=dict)
    drafts: dict[int, list[Json]] = field(default_factory=dict)  # by chat, as they were shown
    queries: set[str] = field(default_factory=set)  # presses that are not answered yet
    kicked: set[int] = field(default_factory=set)  # chats that the bot was thrown out of, …
    muted: set[int] = field(default_factory=set)  # … or may say nothing in
    closed: set[tuple[int, int]] = field(default_factory=set)  # chat, topic
    told: int = 0  # how many updates there were
    updates: list[Json] = field(default_factory=list)
    ids: Iterator[int] = field(default_factory=lambda: count(10))
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    def private(self, person: Json = ANN) -> int:
        self.chats[person["id"]] = {"id": person["id"], "type": "private", "first_name": person["first_name"]}
        return int(person["id"])

    def group(self, chat: int = -100_5, *, forum: bool = False) -> int:
        self.chats[chat] = {"id": chat, "type": "supergroup", "title": "Geese", **({"is_forum": True} if forum else {})}
        return chat

    async def say(self, chat: int, text: str = "", *, by: Json = ANN, **more: Any) -> Json:
        """Somebody writes; the message as Telegram tells it."""
        message = self.keep(chat, by, **{**_words(text, caption=bool(more.keys() & CAPTIONED)), **more})
        await self._tell_of("message", message)
        return message

    async def album(self, chat: int, pictures: list[bytes], text: str = "", *, by: Json = ANN, **more: Any) -> list[Json]:
        """Somebody sends pictures as one album: a message each, the words on the first."""
        group = str(next(self.ids))
        words = [text, *[""] * (len(pictures) - 1)]
        shown = zip(pictures, words, strict=True)
        return [await self.say(chat, said, by=by, photo=self.photo(data), media_group_id=group, **more) for data, said in shown]

    async def edit(self, message: Json, text: str) -> None:
        message.update(_words(text, caption="caption" in message or "photo" in message), edit_date=int(time.time()))
        await self._tell_of("edited_message", message)

    async def press(self, chat: int, message_id: int, data: str, *, by: Json = ANN) -> None:
        query = {"id": str(next(self.ids)), "from": by, "chat_instance": "1", "data": data, "message": self.messages[chat, message_id]}
        self.queries.add(str(query["id"]))
        await self.tell("callback_query", query)

    def photo(self, data: bytes, *sizes: tuple[int, int]) -> list[Json]:
        """A photo's sizes; the largest holds `data`, the others their size in words."""
        shown = sizes or ((90, 60), (1280, 853))
        ids = [self.file(f"{width}x{height}".encode()) for width, height in shown[:-1]] + [self.file(data)]
        return [_size(name, *size) for name, size in zip(ids, shown, strict=True)]

    def document(self, data: bytes, name: str = "goose.png", kind: str = "image/png") -> Json:
        return {"file_id": (file := self.file(data)), "file_unique_id": file, "file_name": name, "mime_type": kind, "file_size": len(data)}

    def thumbnail(self, data: bytes) -> Json:
        return _size(self.file(data), 320, 240)

    def file(self, data: bytes) -> str:
        name = f"file{next(self.ids)}"
        self.files[name] = data
        return name

    def keep(self, chat: int, by: Json, **more: Any) -> Json:
        """A message that is there from now on."""
        message = {"message_id": next(self.ids), "date": int(time.time()), "chat": self.chats[chat], "from": by, **more}
        self.messages[chat, message["message_id"]] = message
        return message

    async def _tell_of(self, kind: str, message: Json) -> None:
        if message["chat"]["id"] > 0 or not self.privacy or _is_meant_for_the_bot(message):
            await self.tell(kind, message)

    async def tell(self, kind: str, what: Json) -> None:
        self.told += 1
        async with self.news:
            self.updates.append({"update_id": next(self.ids), kind: what})
            self.news.notify_all()


def _is_meant_for_the_bot(message: Json) -> bool:
    words = str(message.get("text") or message.get("caption") or "")
    command = words.split()[0] if words.startswith("/") else ""
    is_ours = bool(command) and command.partition("@")[2] in {"", ME["username"]}
    return is_ours or f"@{ME['username']}" in words or message.get("reply_to_message", {}).get("from") == ME


def _words(text: str, *, caption: bool) -> Json:
    if not text:
        return {}
    entities = list(_entities(text))
    kind = "caption" if caption else "text"
    return {kind: text, ("caption_entities" if caption else "entities"): entities}


def _entities(text: str) -> Iterator[Json]:
    """The bot's name and commands, as Telegram marks them: by UTF-16 units."""
    for word in text.split():
        at = text.index(word)
        offset = len(text[:at].encode("utf-16-le")) // 2
        if word.startswith(("@", "/")):
            kind = "mention" if word.startswith("@") else "bot_command"
            yield {"type": kind, "offset": offset, "length": len(word.encode("utf-16-le")) // 2}


def _size(file: str, width: int, height: int) -> Json:
    return {"file_id": file, "file_unique_id": file, "width": width, "height": height, "file_size": 1000}
