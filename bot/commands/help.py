"""`/help`: every command in a line, or one explained."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from bot.answer_settings import SETTINGS
from bot.commands.command import Command, Context, Option, OptionKind, Suggestion, Typing
from bot.commands.parser import find_command
from bot.errors import Refusal
from bot.platform import Outgoing
from bot.texts.marked_commands import show_plain


def topics(typing: Typing) -> Iterator[Suggestion]:
    """Suggest every command, then every setting without a command."""
    for name in typing.commands:
        command = show_plain(typing.texts.command(typing.language, name))
        yield f"{command}: {typing.texts.render(typing.language, f'command.{name}.description')}", name
    yield from ((typing.texts.render(typing.language, f"setting.{name}.name"), name) for name in SETTINGS if name not in typing.commands)


TOPIC = Option("topic", OptionKind.TEXT, complete=topics)


async def run(context: Context) -> Outgoing:
    if topic := str(context.options.get(TOPIC.name, "")).strip().lstrip("/"):
        return context.reply(_about(context, topic))
    lines = (f"{context.command(name)} {context.render(f'command.{name}.description')}" for name in context.commands)
    return context.reply("\n".join([context.render("help.intro"), *lines, context.render("help.more")]))


def _about(context: Context, topic: str) -> str:
    command = find_command(topic, context.commands, context.texts)
    name = command.name if command else topic
    if command is None and name not in SETTINGS:
        near = get_close_matches(topic, context.commands, n=1)
        raise Refusal("help.near", topic=topic[:40], near=near[0]) if near else Refusal("help.unknown", topic=topic[:40])
    explanation = [context.render(f"setting.{name}.explanation")] if name in SETTINGS else []
    usage = [context.render(f"command.{name}.help")] if command else []
    return "\n".join(explanation + usage)


COMMAND = Command("help", run, (TOPIC,))
