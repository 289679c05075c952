"""The settings panel: buttons under what the core says of settings. Each carries a typed command and whose panel it is.

Nothing lasting is kept in memory: what a button does stands in its 64 bytes, so that it works after a restart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from adapters.telegram.places import PRESSED, message_of
from adapters.telegram.recent import Recent
from bot.commands.knobs import CLEAR
from bot.commands.settings import NAME, VALUE
from bot.message import Incoming, Place
from bot.scopes import shown
from bot.settings import SETTINGS, Kind
from bot.texts import Texts, choose_language

OWNED = "|"  # between the id of the person whose panel it is and the command
IN_A_ROW = 3
BACK = "⬅️"
DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Panel:
    """Buttons for what the core is about to say; `message_id`: said in place of this message."""

    keyboard: InlineKeyboardMarkup
    message_id: int | None


class Panels:
    """Ties a keyboard to the answer of the command that it belongs to."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._expected: Recent[tuple[str, str], Panel] = Recent()  # whose text the core has not said yet

    def expect(self, incoming: Incoming) -> None:
        """The core will say something to this event: if it is about settings, buttons belong under it."""
        if incoming.command is None or incoming.command.name != "settings":
            return
        options, language = incoming.command.options, choose_language(incoming.locale)
        if options.keys() - {NAME.name, VALUE.name, CLEAR.name, "answer_id"}:
            return
        rows = self._rows(str(options.get(NAME.name, "")), chosen=bool(options.keys() & {VALUE.name, CLEAR.name}), language=language)
        # The button under an answer opens a panel of its own: the answer stays.
        pressed = PRESSED in incoming.id and "answer_id" not in options
        keyboard = InlineKeyboardMarkup([[_owned(incoming.author.id, *button) for button in row] for row in rows])
        self._expected[incoming.place.key, incoming.id] = Panel(keyboard, message_of(incoming.id) if pressed else None)

    def find(self, place: Place, event: str | None) -> Panel | None:
        """The panel for what is said to this event."""
        return self._expected.get((place.key, event)) if event else None

    def _rows(self, name: str, *, chosen: bool, language: str) -> Sequence[Sequence[tuple[str, str]]]:
        """Labels and commands: all settings, the values of one, or the way back."""
        back = (BACK, "/settings")
        if name not in SETTINGS:
            return _in_rows([(self._texts.say(language, f"setting.{each}.name"), f"/settings {each}") for each in SETTINGS])
        if chosen:
            return [[back]]
        values = [(label, f"/settings {name} {value}") for value, label in self._values(name, language)]
        return [*_in_rows(values), [back, (DEFAULT, f"/settings {name} {DEFAULT}")]]

    def _values(self, name: str, language: str) -> Sequence[tuple[str, str]]:
        setting = SETTINGS[name]
        if setting.kind is Kind.CHOICE:
            return [(choice, self._texts.say(language, f"choice.{name}.{choice}")) for choice in setting.choices]
        return [(shown(value), shown(value)) for value in setting.suggestions]


def owner_and_command(data: str) -> tuple[str | None, str]:
    """Whose button it is (None: anybody's), and the command that it carries."""
    owner, separator, command = data.rpartition(OWNED)
    return (owner if separator else None), command


def _owned(owner: str, label: str, command: str) -> InlineKeyboardButton:
    return InlineKeyboardButton(label, callback_data=f"{owner}{OWNED}{command}")


def _in_rows(buttons: Sequence[tuple[str, str]]) -> list[Sequence[tuple[str, str]]]:
    return [buttons[start : start + IN_A_ROW] for start in range(0, len(buttons), IN_A_ROW)]
