"""`/zoom`: a question about a part of a picture, named in words, chosen from a grid, or drawn on the page."""

from __future__ import annotations

from collections.abc import Iterator

from bot.commands.ask import IMAGE, PROMPT
from bot.commands.command import Command, Context, Option, OptionKind, Suggestion, Typing
from bot.platform import Outgoing
from bot.regions import BY_NAME, split_region


def parts(typing: Typing) -> Iterator[Suggestion]:
    yield from ((typing.texts.render(typing.language, f"region.{name}", edges=""), name) for name in BY_NAME)


REGION = Option("region", OptionKind.TEXT, complete=parts)
CELL = Option("cell", OptionKind.TEXT, hidden=True)  # which cell of the grid, as in its button


async def run(context: Context) -> Outgoing | None:
    if CELL.name in context.options:
        await context.actions.zoom_cell(context.incoming, str(context.options[CELL.name]))
        return None
    region, asked = split_region(str(context.options.get(REGION.name, "")))
    question = str(context.options.get(PROMPT.name, "")).strip() or asked or context.render("zoom.describe")
    if region is None:
        return await context.actions.zoom_grid(context.incoming, question, context.language)
    await context.actions.zoom(context.incoming, question, region)
    return None


COMMAND = Command("zoom", run, (REGION, PROMPT, IMAGE, CELL))
