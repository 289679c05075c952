"""`/frames`: the sheet of what the model saw of a film; with a number, a question about so many frames of it."""

from __future__ import annotations

from bot.commands.ask import IMAGE, PROMPT
from bot.commands.command import Command, Context, Option, OptionKind
from bot.media.films import MOST_FRAMES
from bot.platform import Outgoing

COUNT = Option("count", OptionKind.WHOLE, low=1, high=MOST_FRAMES)


async def run(context: Context) -> Outgoing | None:
    if COUNT.name in context.options:
        question = str(context.options.get(PROMPT.name, "")).strip() or context.render("frames.describe")
        await context.actions.ask_frames(context.incoming, question, int(context.number(COUNT, 0)))
        return None
    sheet = await context.actions.frames(context.incoming)
    text = context.render("frames.shown", times=", ".join(f"{seconds:.1f} s" for seconds in sheet.times))
    return Outgoing(text, spoiler=sheet.spoiler, private=True, language=context.language, files=(sheet.file,), alt=text)


COMMAND = Command("frames", run, (COUNT, PROMPT, IMAGE))
