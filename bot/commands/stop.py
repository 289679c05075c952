"""`/stop`: end an answer now; what was said so far stays."""

from __future__ import annotations

from bot.commands.command import ANSWER, Command, Context
from bot.platform import Outgoing


async def run(context: Context) -> Outgoing:
    count = await context.actions.stop(context.incoming, context.answer_id)
    return context.reply(context.render("stop.done", count=count) if count else context.render("stop.nothing"))


COMMAND = Command("stop", run, (ANSWER,))
