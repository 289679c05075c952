"""`/continue`: go on with an answer that ran into its limit. (A module can't be called `continue`.)"""

from __future__ import annotations

from bot.commands.command import ANSWER, Command, Context
from bot.platform import Outgoing


async def run(context: Context) -> Outgoing | None:
    await context.actions.resume(context.incoming, context.answer_id)
    return None


COMMAND = Command("continue", run, (ANSWER,))
