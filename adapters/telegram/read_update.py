"""Reads Telegram's messages and pressed buttons as the bot's events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from telegram import CallbackQuery, Message, MessageOriginUser, Update, User

from adapters.telegram.mentions import mentioned, named, strip_mention
from adapters.telegram.people import Managers, author_of, author_of_user
from adapters.telegram.pictures import PictureFinder
from adapters.telegram.places import NAME, PRESSED, place_of
from adapters.telegram.recent_items import RecentItems
from adapters.telegram.settings_panel import owner_and_command
from bot.command_registry import COMMANDS
from bot.commands.command import ANSWER
from bot.commands.parser import COMMAND, find_command
from bot.ids import read_own
from bot.message import Address, Attachment, Author, Incoming, Invocation, Place, Reply, Value
from bot.platform import Button
from bot.texts import Texts

STOPPED_DRAFT = "stopped_message_generation"
EXCERPT = 500  # characters of a message that is replied to
FULL = 4_000  # UTF-16 units: clients cut a longer text at a word before 4,096
START = "start"  # Telegram's own: what its Start button sends

Parse = Callable[[str, str | None], Invocation | None]


@dataclass(frozen=True, slots=True)
class UpdateReader:
    """Reads updates. `me` is the bot's own account."""

    me: User
    files: PictureFinder
    managers: Managers
    texts: Texts
    parse: Parse
    posts: RecentItems[tuple[int, int], Reply] = field(default_factory=RecentItems)  # of channels, by group and message

    async def message(self, parts: Sequence[Message], *, edited: bool = False) -> Incoming:
        """One message, or the parts of an album: its words stand on any of them."""
        understood = {part: self._understand(part) for part in parts if _words(part)} or {parts[0]: ("", None)}
        heard = {part: self._address(part, invocation) for part, (_, invocation) in understood.items()}
        worded = next((part for part, address in heard.items() if address is not Address.OVERHEARD), next(iter(understood)))
        text, invocation = understood[worded]
        if invocation is None:
            text = "\n".join(text for text, _ in understood.values() if text)
        place, author = place_of(worded), author_of(worded)
        self._remember(parts)
        if invocation is not None or place.private:
            author = await self.managers.look_up(worded.chat, author)
        return Incoming(
            id=str(parts[0].message_id),
            place=place,
            author=author,
            address=heard[worded],
            sent_at=worded.date.astimezone(UTC),
            text=text,
            attachments=tuple(each for part in parts for each in self._shown(part)),
            reply_to=self._reply(worded),
            command=invocation,
            locale=worded.from_user.language_code if worded.from_user else None,
            edited=edited,
            apart=True,
            cut=len(text.encode("utf-16-le")) // 2 >= FULL,
            forwarded=worded.forward_origin is not None,
            blind="" if place.private or self.me.can_read_all_group_messages else "telegram.pictures_unseen",
            starter=partial(self._starter, worded.chat.id, worded.message_thread_id) if worded.message_thread_id else None,
        )

    def _remember(self, parts: Sequence[Message]) -> None:
        """What a channel posts is where the comments of its group begin."""
        if parts[0].is_automatic_forward:
            pictures = tuple(each for part in parts for each in self.files.pictures_of(part))
            reply = Reply(str(parts[0].message_id), author_of(parts[0]), pictures)
            for part in parts:
                self.posts[part.chat.id, part.message_id] = reply

    async def _starter(self, chat: int, thread: int) -> Reply | None:
        return self.posts.get((chat, thread))

    async def press(self, query: CallbackQuery) -> Incoming | None:
        """A pressed button; None when its message is no longer known to Telegram."""
        message = query.message
        owner, command = owner_and_command(query.data or "")
        invocation = self._pressed(command)
        if not isinstance(message, Message) or invocation is None:
            return None
        author = author_of_user(query.from_user)
        return Incoming(
            id=f"{message.message_id}{PRESSED}{query.id}",
            place=place_of(message),
            author=await self.managers.look_up(message.chat, author),
            address=Address.COMMAND,
            sent_at=datetime.now(UTC),
            command=invocation,
            locale=query.from_user.language_code,
            unseen=owner is None,  # what is chosen from a panel is shown on it
        )

    def stopped(self, update: Update) -> Incoming | None:
        """The button of a draft, which belongs to no message. The library does not know this update yet."""
        told: Any = update.api_kwargs.get(STOPPED_DRAFT)
        try:
            person, topic, draft = str(int(told["chat"]["id"])), told.get("message_thread_id"), int(told["draft_id"])
        except (TypeError, KeyError, ValueError):  # not this update, or in a shape that is new to us: it must hold up nothing
            return None
        return Incoming(
            id=f"0{PRESSED}{update.update_id}",
            place=Place(NAME, person, thread=str(topic) if topic else None, private=True),
            author=Author(NAME, person, "", manages=True),
            address=Address.COMMAND,
            sent_at=datetime.now(UTC),
            command=Invocation(Button.STOP, {ANSWER.name: draft}),
        )

    def _pressed(self, data: str) -> Invocation | None:
        """A button carries a typed command. A client of somebody's own may send anything."""
        invocation = self.parse(data, None)
        if invocation is None or ANSWER.name not in invocation.options:
            return invocation
        answer = read_own(invocation.options[ANSWER.name])
        return None if answer is None else replace(invocation, options={**invocation.options, ANSWER.name: answer})

    def _understand(self, message: Message) -> tuple[str, Invocation | None]:
        """The text without the bot's mention, and the command in it, if any."""
        text = strip_mention(message, self.me)
        if not self._is_command(text, private=place_of(message).private):
            return text, None
        return text, self._local(text) or self._parse(message, text)

    def _parse(self, message: Message, text: str) -> Invocation | None:
        """Whoever Telegram names with an id is the person of a command that takes one; in words they are called as they were."""
        if not (people := named(message, self.me)):
            return self.parse(text, self.me.username)
        mentions = {f"<@{person}>": words for person, words in people.items()}
        command = self.parse(strip_mention(message, self.me, {person: f"<@{person}>" for person in people}), self.me.username)
        return command and replace(command, options={name: _in_words(value, mentions) for name, value in command.options.items()})

    def _knows(self, name: str) -> bool:
        return name.lower() == START or find_command(name, COMMANDS, self.texts) is not None

    def _local(self, text: str) -> Invocation | None:
        """A command that only Telegram has."""
        found = COMMAND.fullmatch(text)
        if found is None or (found["bot"] and found["bot"].lower() != str(self.me.username).lower()):
            return None
        return Invocation("help") if found["name"].lower() == START else None

    def _is_command(self, text: str, *, private: bool) -> bool:
        """In a group an unknown command without our name is another bot's."""
        found = COMMAND.fullmatch(text)
        return found is not None and (private or found["bot"] is not None or self._knows(found["name"]))

    def _address(self, message: Message, invocation: Invocation | None) -> Address:
        if invocation is not None:
            return Address.COMMAND
        if place_of(message).private:
            return Address.PRIVATE
        if mentioned(message, self.me):
            return Address.MENTION
        reply = _replied(message)
        is_ours = reply is not None and reply.from_user is not None and reply.from_user.id == self.me.id
        return Address.REPLY if is_ours else Address.OVERHEARD

    def _shown(self, message: Message) -> tuple[Attachment, ...]:
        """The message's own files, then pictures quoted from another chat."""
        quoted = self.files.pictures_of(message.external_reply) if message.external_reply else ()
        return (*self.files.all_of(message), *quoted)

    def _reply(self, message: Message) -> Reply | None:
        reply, quote = _replied(message), message.quote.text if message.quote else ""
        if reply is None:  # of another chat: what it shows is among the files
            return Reply("", quote=quote, quoted=_origin(message)) if quote else None
        author, words = author_of(reply), _words(reply)[:EXCERPT]
        is_ours = author.id == str(self.me.id)
        return Reply(str(reply.message_id), author, self.files.pictures_of(reply), is_ours, quote=quote, words=words)


def _in_words(value: Value, mentions: Mapping[str, str]) -> Value:
    """A typed option with people's names; a mention alone is whom a command is about."""
    if not isinstance(value, str) or value.strip() in mentions:
        return value
    for mention, words in mentions.items():
        value = value.replace(mention, words)
    return value


def _words(message: Message) -> str:
    return message.text or message.caption or ""


def _origin(message: Message) -> Author | None:
    """Who said, in another chat, what is replied to; None where Telegram does not tell."""
    origin = message.external_reply.origin if message.external_reply else None
    return author_of_user(origin.sender_user) if isinstance(origin, MessageOriginUser) else None


def _replied(message: Message) -> Message | None:
    """The message that is replied to. Everything in a topic "replies" to the topic's beginning, which nobody meant."""
    reply = message.reply_to_message
    return None if reply is None or reply.forum_topic_created else reply
