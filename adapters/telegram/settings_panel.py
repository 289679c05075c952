"""The settings panel: buttons under what the bot says of settings. Each carries a typed command and whose panel it is.

Nothing lasting is kept in memory: what a button does stands in its 64 bytes, so that it works after a restart.
"""

from __future__ import annotations

from collections.abc import Sequence

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from bot.answer_settings import SETTINGS, SettingKind
from bot.platform import Panel
from bot.resolve_answer_settings import shown
from bot.texts import Texts

OWNED = "|"  # between the id of the person whose panel it is and the command
IN_A_ROW = 3
BACK = "⬅️"
DEFAULT = "default"


def keyboard_of(panel: Panel, owner: str, language: str, texts: Texts) -> InlineKeyboardMarkup | None:
    """The buttons of a panel, for the person of this id and for those who manage the group."""
    if panel.command != "settings":
        return None
    rows = _rows(panel, language, texts)
    return InlineKeyboardMarkup([[_owned(owner, *button) for button in row] for row in rows])


def _rows(panel: Panel, language: str, texts: Texts) -> Sequence[Sequence[tuple[str, str]]]:
    """Labels and commands: all settings, the values of one, or the way back."""
    name, back = panel.setting, (BACK, "/settings")
    if name not in SETTINGS:
        return _in_rows([(texts.render(language, f"setting.{each}.name"), f"/settings {each}") for each in SETTINGS])
    if panel.chosen:
        return [[back]]
    values = [(label, f"/settings {name} {value}") for value, label in _values(name, language, texts)]
    return [*_in_rows(values), [back, (DEFAULT, f"/settings {name} {DEFAULT}")]]


def _values(name: str, language: str, texts: Texts) -> Sequence[tuple[str, str]]:
    setting = SETTINGS[name]
    if setting.kind is SettingKind.CHOICE:
        return [(choice, texts.render(language, f"choice.{name}.{choice}")) for choice in setting.choices]
    return [(shown(value), shown(value)) for value in setting.suggestions]


def owner_and_command(data: str) -> tuple[str | None, str]:
    """Whose button it is (None: anybody's), and the command that it carries."""
    owner, separator, command = data.rpartition(OWNED)
    return (owner if separator else None), command


def _owned(owner: str, label: str, command: str) -> InlineKeyboardButton:
    return InlineKeyboardButton(label, callback_data=f"{owner}{OWNED}{command}")


def _in_rows(buttons: Sequence[tuple[str, str]]) -> list[Sequence[tuple[str, str]]]:
    return [buttons[start : start + IN_A_ROW] for start in range(0, len(buttons), IN_A_ROW)]
