"""`/again`: the same question once more, with other settings if wanted."""

from __future__ import annotations

from bot.commands.command import ANSWER, REQUEST, Command, Context
from bot.platform import Outgoing


async def run(context: Context) -> Outgoing | None:
    await context.actions.again(context.incoming, context.answer_id, context.request)
    return None


COMMAND = Command("again", run, (*REQUEST, ANSWER))
