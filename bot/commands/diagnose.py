"""`/diagnose`: what the bot can't see or do here, and how to change it. For those who manage the place."""

from __future__ import annotations

from bot.commands.command import Command, Context
from bot.platform import Outgoing


async def run(context: Context) -> Outgoing:
    findings = await context.actions.diagnose(context.incoming)
    lines = [context.render(key) for key in findings or ("diagnose.nothing",)]
    return context.reply("\n".join([*lines, _names(context)]))


def _names(context: Context) -> str:
    """The place's keys, as the configuration's lists take them."""
    place = context.incoming.place
    if place.server_key is None:
        return context.render("diagnose.name", channel=place.key)
    return context.render("diagnose.names", channel=place.key, server=place.server_key)


COMMAND = Command("diagnose", run, for_managers=True, everywhere=True)
