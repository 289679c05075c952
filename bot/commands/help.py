"""`/help`: every command in a line, or one explained."""

from __future__ import annotations

from difflib import get_close_matches

from bot.commands.command import Command, Context, Option, OptionKind
from bot.commands.parser import find_command
from bot.errors import Refusal
from bot.ports import Outgoing
from bot.settings import SETTINGS

TOPIC = Option("topic", OptionKind.TEXT)


async def run(context: Context) -> Outgoing:
    if topic := str(context.options.get(TOPIC.name, "")).strip().lstrip("/"):
        return context.reply(_about(context, topic))
    lines = (f"`/{name}` {context.say(f'command.{name}.description')}" for name in context.commands)
    return context.reply("\n".join([context.say("help.intro"), *lines, context.say("help.more")]))


def _about(context: Context, topic: str) -> str:
    if topic in SETTINGS:
        return context.say(f"setting.{topic}.explanation")
    command = find_command(topic, context.commands, context.texts)
    if command is None:
        near = get_close_matches(topic, context.commands, n=1)
        raise Refusal("help.near", topic=topic[:40], near=near[0]) if near else Refusal("help.unknown", topic=topic[:40])
    return context.say(f"command.{command.name}.help")


COMMAND = Command("help", run, (TOPIC,))
