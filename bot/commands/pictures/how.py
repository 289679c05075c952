"""`/how`: one picture of how an answer came about. The button below answers sends this command where there is no page to link to."""

from __future__ import annotations

from bot.commands.command import ANSWER, Command, Context
from bot.platform import Outgoing


async def run(context: Context) -> Outgoing:
    return await context.actions.how(context.incoming, context.answer_id, context.language)


COMMAND = Command("how", run, (ANSWER,))
