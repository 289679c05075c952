"""`/forget`: delete what this person wrote and showed, once they have confirmed it. Managers may clear their channel, or a person."""

from __future__ import annotations

from typing import Final

from bot.commands.command import Command, Context, Option, OptionKind
from bot.ports import Outgoing

CONFIRM: Final = Option("confirm", OptionKind.FLAG)
WHAT: Final = Option("what", OptionKind.CHOICE, choices=("me", "channel"), words="choice.forget.{choice}")
PERSON: Final = Option("person", OptionKind.PERSON)


async def run(context: Context) -> Outgoing:
    person = str(context.options.get(PERSON.name, ""))
    channel = context.options.get(WHAT.name) == "channel"
    if not context.options.get(CONFIRM.name):
        what = "person" if person else "channel" if channel else "me"
        return context.reply(context.say(f"forget.confirm.{what}"))
    if person or channel:
        gone = await context.actions.forget_here(context.incoming, person or None)
    else:
        gone = await context.actions.forget(context.incoming)
    return context.reply(context.say("forget.done", messages=gone.messages, pictures=gone.pictures))


COMMAND = Command("forget", run, (CONFIRM, WHAT, PERSON))
