"""`/vote`: vote for an answer, or for a column of a comparison. The buttons below answers send this command."""

from __future__ import annotations

from bot.commands.command import ANSWER, Command, Context, Option, OptionKind
from bot.platform import Outgoing

COLUMN = Option("column", OptionKind.WHOLE, low=1, high=6)


async def run(context: Context) -> Outgoing | None:
    """No reply where a button was pressed: the count on it changes."""
    await context.actions.demos.vote(context.incoming, context.answer_id, int(context.number(COLUMN, default=1)) - 1)
    return None if context.answer_id is not None else context.reply(context.render("vote.counted"))


COMMAND = Command("vote", run, (COLUMN, ANSWER))
