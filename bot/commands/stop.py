"""`/stop`: end an answer now; what was said so far stays."""

from __future__ import annotations

from bot.commands.command import ANSWER, Command, Context
from bot.ports import Outgoing


async def run(context: Context) -> Outgoing:
    count = await context.actions.stop(context.incoming, context.answer_id)
    return context.reply(context.say("stop.done", count=count) if count else context.say("stop.nothing"))


COMMAND = Command("stop", run, (ANSWER,))
