"""`/find`: where something is in a picture; a model that says such things has it drawn on the picture below its answer."""

from __future__ import annotations

from bot.commands.ask import IMAGE
from bot.commands.command import Command, Context, Option, OptionKind
from bot.errors import Refusal
from bot.platform import Outgoing

LONGEST = 200  # characters, as engines take them
THING = Option("thing", OptionKind.TEXT)


async def run(context: Context) -> Outgoing | None:
    thing = " ".join(str(context.options.get(THING.name, "")).split())
    if not thing:
        raise Refusal("find.nothing_named")
    if len(thing) > LONGEST:
        raise Refusal("find.too_long", limit=LONGEST)
    await context.actions.find(context.incoming, thing, context.render("find.question", thing=thing))
    return None


COMMAND = Command("find", run, (THING, IMAGE))
