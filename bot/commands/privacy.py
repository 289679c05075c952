"""`/privacy`: what is kept of a person, how long, who sees it, and how it is deleted."""

from __future__ import annotations

from bot.commands.command import Command, Context
from bot.platform import Outgoing


async def run(context: Context) -> Outgoing:
    held = await context.actions.held(context.incoming, None, channel=False)
    days = context.retention_days
    lines = (
        context.render("privacy.kept", messages=held.messages, pictures=held.pictures),
        context.render("privacy.days", days=days) if days else context.render("privacy.for_ever"),
        context.render("privacy.seen"),
        context.render("privacy.forget"),
    )
    return context.reply("\n".join(lines))


COMMAND = Command("privacy", run)
