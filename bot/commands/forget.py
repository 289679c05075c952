"""`/forget`: delete a person's messages and pictures, after showing them whose and how many they are. Managers may delete those of a
channel, or of another person in it.

Only the button below that question deletes, or the command behind it: a typed command only asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bot.commands.command import Command, Context, Option, OptionKind
from bot.errors import Refusal
from bot.platform import Action, Outgoing
from bot.sanitize import escape_markdown, safe_name

CONFIRM: Final = Option("confirm", OptionKind.FLAG, hidden=True)  # ignored; older versions had it
WHAT: Final = Option("what", OptionKind.CHOICE, choices=("me", "channel"), words="choice.forget.{choice}")
PERSON: Final = Option("person", OptionKind.PERSON)
ASKER: Final = Option("asker", OptionKind.TEXT, hidden=True)  # who may press the button: it would delete the messages of whoever presses
NAMED: Final = 5  # people who are listed by name; of more, only the number


async def run(context: Context) -> Outgoing:
    person = str(context.options.get(PERSON.name, ""))
    channel = not person and context.options.get(WHAT.name) == "channel"
    if ASKER.name not in context.options:
        return await _ask_first(context, person, channel=channel)
    if context.options[ASKER.name] != context.incoming.author.id:
        raise Refusal("forget.not_your_button")
    if person or channel:
        gone = await context.actions.forget_here(context.incoming, person or None)
    else:
        gone = await context.actions.forget(context.incoming)
    done = context.render("forget.done", messages=gone.messages, pictures=gone.pictures)
    owed = [context.render("forget.owed", count=gone.owed)] if gone.owed else []
    return context.reply("\n".join([done, *owed, context.render("forget.stays")]))


async def _ask_first(context: Context, person: str, *, channel: bool) -> Outgoing:
    """Show whose messages would be deleted, and how many. Raises Refusal where there are none, and where this person may not."""
    held = await context.actions.held(context.incoming, person or None, channel=channel)
    what, which = ("person", f" {PERSON.name}:{person}") if person else ("channel", f" {WHAT.name}:channel") if channel else ("me", "")
    if what != "me" and not (held.messages or held.quotes):
        raise Refusal(f"forget.nothing.{what}", person=person)
    whose = _names(context, held.people or ((("", 0),) if person else ()), person)
    question = context.render(f"forget.confirm.{what}", whose=whose, messages=held.messages, pictures=held.pictures)
    # Two ids leave little of Telegram's 64 bytes: `asker` alone confirms.
    confirmed = f"/forget{which} {ASKER.name}:{context.incoming.author.id}"
    return replace(
        context.reply(f"{question}\n{context.render('forget.stays')}"), actions=(Action(context.render("forget.yes"), confirmed),)
    )


def _names(context: Context, people: Sequence[tuple[str, int]], person: str) -> str:
    """The authors by name, with their numbers of messages."""
    named = [f"**{escape_markdown(safe_name(name)) or person or '?'}** ({count})" for name, count in people[:NAMED]]
    if others := len(people) - NAMED:
        named += [context.render("forget.others", count=others)] if others > 0 else []
    return context.render("forget.comma").join(named)


COMMAND = Command("forget", run, (WHAT, PERSON, CONFIRM, ASKER))
