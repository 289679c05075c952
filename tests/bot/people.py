"""Short ways to write who said what where, for tests of the bot."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from bot.message import Address, Author, Incoming, Invocation, Place, Value

SERVER = Place("discord", "general", server="goose")
THREAD = Place("discord", "general", thread="t1", server="goose")
PRIVATE = Place("discord", "dm", private=True)
GROUP = Place("telegram", "-100")
TERMINAL = Place("terminal", "here", private=True)

ADA = Author("discord", "ada", "Ada")
BOB = Author("discord", "bob", "Bob")
MODERATOR = Author("discord", "mo", "Mo", manages=True)


def said(author: Author = ADA, place: Place = SERVER, text: str = "", locale: str | None = None) -> Incoming:
    return Incoming("1", place, author, Address.MENTION, datetime(2026, 1, 1, tzinfo=UTC), text, locale=locale)


def commanded(name: str, author: Author = ADA, place: Place = SERVER, locale: str | None = None, /, **options: Value) -> Incoming:
    return given(name, options, author, place, locale)


def given(name: str, options: Mapping[str, Value], author: Author = ADA, place: Place = SERVER, locale: str | None = None) -> Incoming:
    when = datetime(2026, 1, 1, tzinfo=UTC)
    return Incoming("1", place, author, Address.COMMAND, when, command=Invocation(name, options), locale=locale)
