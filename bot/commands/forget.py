"""`/forget`: delete what this person wrote and showed, once they have confirmed it. Managers may clear their channel, or a person."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from bot.commands.command import Command, Context, Option, OptionKind
from bot.errors import Refusal
from bot.ports import Action, Outgoing

CONFIRM: Final = Option("confirm", OptionKind.FLAG)
WHAT: Final = Option("what", OptionKind.CHOICE, choices=("me", "channel"), words="choice.forget.{choice}")
PERSON: Final = Option("person", OptionKind.PERSON)
ASKER: Final = Option("asker", OptionKind.TEXT, hidden=True)  # whose button it is: what somebody else presses would delete theirs


async def run(context: Context) -> Outgoing:
    person = str(context.options.get(PERSON.name, ""))
    channel = context.options.get(WHAT.name) == "channel"
    if not context.options.get(CONFIRM.name):
        return _ask_first(context, person, channel=channel)
    if context.options.get(ASKER.name, context.incoming.author.id) != context.incoming.author.id:
        raise Refusal("forget.not_your_button")
    if person or channel:
        gone = await context.actions.forget_here(context.incoming, person or None)
    else:
        gone = await context.actions.forget(context.incoming)
    return context.reply(context.say("forget.done", messages=gone.messages, pictures=gone.pictures))


def _ask_first(context: Context, person: str, *, channel: bool) -> Outgoing:
    what, which = ("person", f" {PERSON.name}:{person}") if person else ("channel", f" {WHAT.name}:channel") if channel else ("me", "")
    confirmed = f"/forget {CONFIRM.name}:yes{which} {ASKER.name}:{context.incoming.author.id}"
    question = context.reply(context.say(f"forget.confirm.{what}"))
    return replace(question, actions=(Action(context.say("forget.yes"), confirmed),))


COMMAND = Command("forget", run, (CONFIRM, WHAT, PERSON, ASKER))
