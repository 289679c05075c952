"""One person at one terminal: a line becomes an event for the bot, and the next line waits until it is answered."""

from __future__ import annotations

import getpass
import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime

from adapters.terminal.parse_line import Typed, understand
from adapters.terminal.pictures import attachment
from adapters.terminal.screen import NAME, PLACE, Screen
from bot.api import Bot
from bot.errors import Refusal
from bot.message import Address, Author, Incoming, Invocation, Reply
from bot.platform import Button

Parse = Callable[[str], Invocation | None]


class Chat:
    """Turns lines into events. `parse` knows the commands; `locale` is the system's language."""

    def __init__(self, bot: Bot, screen: Screen, parse: Parse, locale: str | None = None) -> None:
        self._bot = bot
        self._screen = screen
        self._parse = parse
        self._locale = locale
        self._author = Author(NAME, user_name(), user_name(), manages=True, alone=True)

    async def say(self, line: str) -> None:
        """Hand over what was typed. Raises FileError for a picture that can't be opened, Refusal for an unknown number."""
        typed = understand(line)
        command = None if typed.pictures else self._parse(typed.text)
        await self._bot.handle(self._event(typed, command))

    async def converse(self, line: str) -> None:
        """`say`, and wait until the answer is on the screen."""
        finished = self._screen.finished
        await self.say(line)
        await self._screen.settled(finished)

    async def press(self, button: Button, answer_id: int | None = None) -> None:
        """What a button does elsewhere; without an answer's id, for the newest."""
        options = {} if answer_id is None else {"answer_id": answer_id}
        await self._bot.handle(self._event(Typed(""), Invocation(button, options)))

    def _event(self, typed: Typed, command: Invocation | None) -> Incoming:
        return Incoming(
            id=secrets.token_hex(12),
            place=PLACE,
            author=self._author,
            address=Address.COMMAND if command else Address.PRIVATE,
            sent_at=datetime.now(UTC),
            text=typed.text,
            attachments=tuple(attachment(path) for path in typed.pictures),
            reply_to=self._reply(typed.reply_to),
            command=command,
            locale=self._locale,
        )

    def _reply(self, number: int | None) -> Reply | None:
        if number is None:
            return None
        message = self._screen.message_of(number)
        if message is None:
            raise Refusal("answer.unknown")
        return Reply(message, is_ours=True)


def user_name() -> str:
    """A container may run as a number that has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
