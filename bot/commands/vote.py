"""`/vote`: say which answer, or which column of a comparison, one likes best. The buttons under answers give this command."""

from __future__ import annotations

from bot.commands.command import ANSWER, Command, Context, Option, OptionKind
from bot.ports import Outgoing

COLUMN = Option("column", OptionKind.WHOLE, low=1, high=6)


async def run(context: Context) -> Outgoing | None:
    """Says nothing where a button was pressed: the count on it moves."""
    await context.actions.demos.vote(context.incoming, context.answer_id, int(context.number(COLUMN, default=1)) - 1)
    return None if context.answer_id is not None else context.reply(context.render("vote.counted"))


COMMAND = Command("vote", run, (COLUMN, ANSWER))
