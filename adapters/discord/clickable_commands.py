"""Makes the commands that our own texts name clickable: Discord wants each with the id that it gave it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from discord import AppCommandType
from discord.app_commands import AppCommand

from adapters.discord.markdown import outside_code
from bot.texts.marked_commands import MARKED, show_marked

LONGEST_ID: Final = (1 << 64) - 1

CommandIds = Mapping[str, int]  # by the command's own name, which its readers see in their language


def ids_of(offered: Iterable[AppCommand]) -> dict[str, int]:
    """The ids of the commands that Discord has taken."""
    return {command.name: command.id for command in offered if command.type is AppCommandType.chat_input}


def clickable(text: str, ids: CommandIds) -> str:
    """`text`, defused already, with the commands in it clickable; those without an id are named, and those in code stay marked."""

    def show(name: str, shown: str) -> str:
        return f"</{name}:{ids[name]}>" if name in ids else f"/{shown}"

    return outside_code(text, lambda prose: show_marked(prose, show))


def longer_by(text: str) -> int:
    """By how many characters the commands in `text` can make it longer."""
    return sum(max(0, len(f"</{found[1]}:{LONGEST_ID}>") - len(found[0])) for found in MARKED.finditer(text))
