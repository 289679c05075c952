"""`/frames`: the sheet of what the model saw of a film, its frames with their times."""

from __future__ import annotations

from bot.commands.command import Command, Context
from bot.platform import Outgoing


async def run(context: Context) -> Outgoing:
    sheet = await context.actions.frames(context.incoming)
    text = context.render("frames.shown", times=", ".join(f"{seconds:.1f} s" for seconds in sheet.times))
    return Outgoing(text, spoiler=sheet.spoiler, private=True, language=context.language, files=(sheet.file,), alt=text)


COMMAND = Command("frames", run)
