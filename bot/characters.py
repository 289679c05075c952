"""Characters that every database keeps and every platform takes: a person's own client, or a model, can send others."""

from __future__ import annotations

from dataclasses import replace

from bot.message import Author, Incoming, Invocation


def whole_characters(text: str) -> str:
    """Without half characters, which can't be encoded, and NUL, which PostgreSQL refuses."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "")


def cleaned(incoming: Incoming) -> Incoming:
    """The event with whole characters in all that people wrote."""
    reply, command = incoming.reply_to, incoming.command
    if reply and reply.author:
        reply = replace(reply, author=_author(reply.author))
    if command:
        options = {name: whole_characters(value) if isinstance(value, str) else value for name, value in command.options.items()}
        command = Invocation(command.name, options)
    return replace(incoming, text=whole_characters(incoming.text), author=_author(incoming.author), reply_to=reply, command=command)


def _author(author: Author) -> Author:
    return replace(author, name=whole_characters(author.name))
