"""`/read`: what is written in a picture, exactly as the model is told it, to be copied."""

from __future__ import annotations

from bot.commands.ask import IMAGE
from bot.commands.command import Command, Context
from bot.platform import Outgoing
from engine.writing import fenced


async def run(context: Context) -> Outgoing:
    reading = await context.actions.read(context.incoming)
    if not reading.words:
        return context.reply(context.render("read.nothing"))
    # All platforms show a code block as it is, with a button or a tap to copy it.
    return Outgoing(fenced(reading.words), spoiler=reading.spoiler, private=True, language=context.language)


COMMAND = Command("read", run, (IMAGE,))
