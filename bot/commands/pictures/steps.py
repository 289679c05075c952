"""`/steps`: a question that is answered by a short program over the picture."""

from __future__ import annotations

from bot.commands.ask import IMAGE, PROMPT, check_something_asked
from bot.commands.command import Command, Context
from bot.platform import Outgoing


async def run(context: Context) -> Outgoing | None:
    question = str(context.options.get(PROMPT.name, "")).strip()
    check_something_asked(context.incoming, question)
    await context.actions.steps(context.incoming, question)
    return None


COMMAND = Command("steps", run, (PROMPT, IMAGE))
