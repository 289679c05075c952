"""Characters that every database keeps and every platform takes, since a client or a model can send others; and as many as fit."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from bot.message import Attachment, Author, Incoming, Invocation, Reply
from bot.texts.marked_commands import without_marks

LONGEST_NAME: Final = 60  # characters
UNRULY: Final = re.compile(r"[\x00-\x1f\x7f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")  # controls, line ends, directions
MARKS: Final = re.compile(r"[\\`*_{}\[\]()#+\-.!~|>]")  # that Markdown gives a meaning


def sanitize_text(text: str) -> str:
    """Without half characters, which can't be encoded, NUL, which PostgreSQL refuses, and the marks of our own commands."""
    return without_marks(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", ""))


def shorten_to_line(text: str, most: int) -> str:
    """The text on one line of at most `most` characters; cut at a space where there is one in the second half."""
    line = " ".join(text.split())
    if len(line) <= most:
        return line
    cut = line[: most - 1]
    words, _, _ = cut.rpartition(" ")
    return f"{(words if len(words) > most // 2 else cut).rstrip()}…"


def safe_name(name: str) -> str:
    """A person's name for a sentence of the bot: without control characters, which could reverse the text around it."""
    return shorten_to_line(UNRULY.sub(" ", name), LONGEST_NAME)


def escape_markdown(text: str) -> str:
    """The text as Markdown that shows just these characters."""
    return MARKS.sub(r"\\\g<0>", text)


def sanitize_incoming(incoming: Incoming) -> Incoming:
    """The event with `sanitize_text` applied to all that people wrote."""
    return replace(
        incoming,
        text=sanitize_text(incoming.text),
        author=_author(incoming.author),
        attachments=tuple(_attachment(each) for each in incoming.attachments),
        reply_to=_reply(incoming.reply_to) if incoming.reply_to else None,
        command=_command(incoming.command) if incoming.command else None,
    )


def _reply(reply: Reply) -> Reply:
    return replace(
        reply,
        author=_author(reply.author) if reply.author else None,
        attachments=tuple(_attachment(each) for each in reply.attachments),
        quote=sanitize_text(reply.quote),
        words=sanitize_text(reply.words),
    )


def _command(command: Invocation) -> Invocation:
    options = {name: sanitize_text(value) if isinstance(value, str) else value for name, value in command.options.items()}
    return Invocation(sanitize_text(command.name), options)


def _attachment(attachment: Attachment) -> Attachment:
    return replace(attachment, name=sanitize_text(attachment.name))


def _author(author: Author) -> Author:
    return replace(author, name=sanitize_text(author.name))
