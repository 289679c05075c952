"""`/forget`: delete what this person wrote and showed, once they have confirmed it."""

from __future__ import annotations

from bot.commands.command import Command, Context, Option, OptionKind
from bot.ports import Outgoing

CONFIRM = Option("confirm", OptionKind.FLAG)


async def run(context: Context) -> Outgoing:
    if not context.options.get(CONFIRM.name):
        return context.reply(context.say("forget.confirm"))
    gone = await context.actions.forget(context.incoming)
    return context.reply(context.say("forget.done", messages=gone.messages, pictures=gone.pictures))


COMMAND = Command("forget", run, (CONFIRM,))
