"""The buttons under an answer. All they need stands in their id, so that they work after a restart."""

from __future__ import annotations

from typing import Final

import discord

from bot.ids import read_own
from bot.platform import Button, Outgoing
from bot.texts import Texts

EMOJI: Final = {Button.STOP: "⏹️", Button.AGAIN: "🔁", Button.CONTINUE: "▶️", Button.SETTINGS: "⚙️"}
STYLES: Final = {Button.STOP: discord.ButtonStyle.danger}
PREFIX: Final = "gander"
ACTION: Final = "gander-do:"  # and the command that it stands for
LONGEST_LABEL: Final = 80
MORE: Final = "gander-more"  # goes on where an interaction can say no more


def custom_id(button: Button, answer_id: int) -> str:
    return f"{PREFIX}:{button.value}:{answer_id}"


def pressed(identifier: str) -> tuple[Button, int] | None:
    """What a button's id says; None for a component that is not one of these."""
    prefix, _, rest = identifier.partition(":")
    name, _, answer = rest.partition(":")
    number = read_own(answer)
    return None if prefix != PREFIX or name not in set(Button) or number is None else (Button(name), number)


def action(identifier: str) -> str | None:
    """The command that a button stands for; None for a component that is not one of these."""
    return identifier.removeprefix(ACTION) if identifier.startswith(ACTION) else None


def view_of(message: Outgoing, texts: Texts) -> discord.ui.View | None:
    """A message's buttons in its language; None without any. Presses are read from the buttons' ids (`pressed`, `action`)."""
    view = discord.ui.View(timeout=None)
    for button in message.buttons if message.answer_id is not None else ():
        label = texts.render(message.language, f"button.{button.value}")
        style = STYLES.get(button, discord.ButtonStyle.secondary)
        name = custom_id(button, message.answer_id or 0)
        view.add_item(discord.ui.Button(style=style, label=label, emoji=EMOJI[button], custom_id=name))
    for at, each in enumerate(message.actions):
        row = at // message.across if message.across else None
        stands_for = None if each.url else f"{ACTION}{each.command}"
        view.add_item(discord.ui.Button(label=each.label[:LONGEST_LABEL], custom_id=stands_for, url=each.url or None, row=row))
    view.stop()
    return view if view.children else None


def more_view(texts: Texts, language: str) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    view.add_item(discord.ui.Button(label=texts.render(language, "discord.more_button"), custom_id=MORE))
    view.stop()
    return view
