"""Parses commands that are typed as text: `/temperature 0.7 scope:server`, `/temperature@thebot 0.7`, `/温度 0.7`.

For platforms without native options, for captions, and for the terminal and the page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot.commands.command import Command, Option, OptionKind
from bot.message import Invocation, Value
from bot.texts import Texts

COMMAND = re.compile(r"/(?P<name>\w{1,32})(?:@(?P<bot>\w+))?(?=\s|$)\s*(?P<rest>.*)", re.DOTALL)
NAMED = re.compile(r"(?<!\S)(?P<name>\w+)[:=：＝](?P<value>\"[^\"]*\"|“[^”]*”|「[^」]*」|\S+)")
CLEARING = frozenset({"default", "clear", "默认", "預設", "清除"})


def parse_command(text: str, commands: Mapping[str, Command], texts: Texts, bot_name: str | None = None) -> Invocation | None:
    """The command in `text`; None where there is none, or it is for another bot. An unknown one becomes `/help` about it.

    `bot_name`: this bot's user name, where several bots share a chat.
    """
    match = COMMAND.fullmatch(text.strip())
    if match is None or (match["bot"] and bot_name and match["bot"].lower() != bot_name.lower()):
        return None
    command = find_command(match["name"], commands, texts)
    if command is None:
        return Invocation("help", {"topic": match["name"]})
    return Invocation(command.name, _options(command, match["rest"], texts))


def find_command(name: str, commands: Mapping[str, Command], texts: Texts) -> Command | None:
    """The command that goes by this name in any language."""
    wanted = name.lower()
    return next((command for command in commands.values() if wanted in {command.name, *texts.forms(f"command.{command.name}.name")}), None)


def _options(command: Command, rest: str, texts: Texts) -> dict[str, Value]:
    """Parse options: named ones anywhere, others in their order. A text option takes all the rest, also when named without quotes."""
    by_name = {name: option for option in command.options for name in (option.name, *_translated(option, texts))}
    found: dict[str, Value] = {}
    unquoted: set[str] = set()

    def take(match: re.Match[str]) -> str:
        option = by_name.get(match["name"].lower())
        if option is None:
            return match[0]
        found[option.name] = value = match["value"].strip('"“”「」')
        if value == match["value"]:
            unquoted.add(option.name)
        return ""

    left = NAMED.sub(take, rest).strip()
    for option in command.options:
        if not left or option.hidden or option.kind is OptionKind.PICTURE:
            continue
        if option.name not in found:
            left = _take_next(command, option, left, found)
        elif option.kind is OptionKind.TEXT and option.name in unquoted:
            found[option.name], left = f"{found[option.name]} {left}", ""
    return found


def _take_next(command: Command, option: Option, left: str, found: dict[str, Value]) -> str:
    """Give `option` the next word, or all words for a text; return the rest."""
    first, *rest = left.split(maxsplit=1)
    others = "".join(rest)
    if first.lower() in CLEARING and command.option("clear") and option.name == "value":
        found["clear"] = True
        return others
    if option.kind is OptionKind.TEXT:
        found[option.name] = left
        return ""
    found[option.name] = first
    return others


def _translated(option: Option, texts: Texts) -> tuple[str, ...]:
    return () if option.hidden else tuple(texts.forms(f"option.{option.name}.name"))
