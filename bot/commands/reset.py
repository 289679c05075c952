"""`/reset`: the next message starts a new conversation."""

from __future__ import annotations

from bot.commands.command import Command, Context
from bot.platform import Outgoing


async def run(context: Context) -> Outgoing:
    await context.actions.reset(context.incoming)
    return Outgoing(context.render("reset.done"))


COMMAND = Command("reset", run)
