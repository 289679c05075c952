"""Defines a command: its name, its typed options, its texts in every language, and its handler.

Adapters register commands natively from this; bot/commands/parser.py parses commands that are typed as text. The texts are
`command.<name>.name`, `.description` and `.help`, and `option.<name>.name` and `.description`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from math import inf

from bot.access.policy_store import PolicyStore
from bot.answer_settings import SETTINGS, Setting, SettingKind
from bot.commands.actions import Actions
from bot.errors import Refusal
from bot.ids import read_id, read_own
from bot.message import Incoming, Value
from bot.numbers import print_number, read_number, read_whole
from bot.platform import Outgoing
from bot.resolve_answer_settings import ScopedSettings
from bot.texts import Texts

YES = frozenset({"true", "yes", "y", "1", "on", "是", "好", "确认", "確認"})
NO = frozenset({"false", "no", "n", "0", "off", "否", "不"})
REPLIED = frozenset({"reply", "回复", "回覆"})  # typed instead of a person: the author of the message that is replied to


Suggestion = tuple[str, Value]  # label and value


@dataclass(frozen=True, slots=True)
class Typing:
    """An option that somebody is typing. `given`: the options filled in already; `caps`: the highest values this person may set here."""

    typed: str
    given: Mapping[str, Value]
    caps: Mapping[str, float]
    commands: Mapping[str, Command]
    texts: Texts
    language: str

    def fitting(self, suggestions: Iterable[Suggestion]) -> Iterator[Suggestion]:
        """The suggestions that contain what was typed; numbers have to begin with it."""
        typed = self.typed.strip().lower()
        for label, value in suggestions:
            if label.startswith(typed) if isinstance(value, float | int) else typed in label.lower():
                yield label, value


Completion = Callable[[Typing], Iterable[Suggestion]]


class OptionKind(StrEnum):
    """The type of an option's value."""

    TEXT = "text"
    NUMBER = "number"
    WHOLE = "whole"
    CHOICE = "choice"
    FLAG = "flag"
    PERSON = "person"  # the platform's id of a person; likewise below
    ROLE = "role"
    CHANNEL = "channel"
    SERVER = "server"
    PICTURE = "picture"  # native commands only; it arrives as an attachment of the message


IDS = frozenset({OptionKind.PERSON, OptionKind.ROLE, OptionKind.CHANNEL, OptionKind.SERVER})


@dataclass(frozen=True, slots=True)
class Option:
    """One option. Numbers have `low` and `high`, both included; `words` is the key of a choice's label, with `{choice}` in it."""

    name: str
    kind: OptionKind
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    words: str = ""
    complete: Completion | None = None  # suggests values while it is typed
    setting: str = ""  # the setting whose value it takes, if any
    hidden: bool = False  # set by buttons, never shown to people
    keeps: bool = False  # its value is parsed by its setting

    def read(self, given: Value, texts: Texts, incoming: Incoming) -> Value:
        """Parse what a platform or a person gave. Raises Refusal for an unknown choice, and for a name where an id is needed: a guess
        could name somebody else."""
        if self.kind is OptionKind.FLAG:
            return self._flag(given)
        if self.kind is OptionKind.CHOICE:
            return self._choose(str(given), texts)
        return self._id(str(given), incoming) if self.kind in IDS else given

    def label(self, choice: str, texts: Texts, language: str) -> str:
        return texts.render(language, self.words.format(choice=choice))

    def _flag(self, given: Value) -> bool:
        word = str(given).strip().lower()
        if not isinstance(given, bool) and word not in YES | NO:
            raise Refusal("settings.not_a_flag", name=self.name, given=word[:40])
        return given if isinstance(given, bool) else word in YES

    def _id(self, given: str, incoming: Incoming) -> str:
        if self.kind is OptionKind.PERSON and given.strip().lower() in REPLIED:
            return self._replied(incoming)
        found = read_id(self.kind, given, incoming.place.platform)
        if found is None:
            raise Refusal(f"settings.not_an_id.{self.kind}", name=self.name, given=given[:40])
        return found

    def _replied(self, incoming: Incoming) -> str:
        """The author of the message that is replied to. Raises Refusal where there is none, or it is the bot."""
        reply = incoming.reply_to
        if reply is None or reply.author is None or reply.is_ours:
            raise Refusal("settings.nobody_replied_to", name=self.name)
        return reply.author.id

    def _choose(self, given: str, texts: Texts) -> str:
        wanted = given.strip().lower()
        for choice in self.choices:
            if wanted in {choice.lower(), *(label.lower() for label in texts.forms(self.words.format(choice=choice)))}:
                return choice
        if self.keeps:
            return given
        raise Refusal("settings.not_a_choice", name=self.name, choices=", ".join(self.choices), given=given[:40])


@dataclass(frozen=True, slots=True)
class Context:
    """What a command's handler gets: the event, its options, and everything that the handler may use."""

    incoming: Incoming
    options: Mapping[str, Value]
    actions: Actions
    settings: ScopedSettings
    policies: PolicyStore
    texts: Texts
    language: str
    commands: Mapping[str, Command]
    retention_days: float = 0  # after which what people said is deleted; 0: never by itself

    def render(self, key: str, **values: Value) -> str:
        return self.texts.render(self.language, key, **values)

    def command(self, name: str) -> str:
        """A command as it stands in a text here."""
        return self.texts.command(self.language, name)

    def reply(self, text: str) -> Outgoing:
        """A reply that only this person sees, where the platform can do that."""
        return Outgoing(text, private=True, language=self.language)

    @property
    def answer_id(self) -> int | None:
        """The id of the answer whose button was pressed; None: the newest one is meant."""
        given = self.options.get(ANSWER.name)
        answer = None if given is None else read_own(given)
        if given is not None and answer is None:
            raise Refusal("answer.unknown")
        return answer

    def number(self, option: Option, default: float) -> float:
        """The value of a numeric option. Raises Refusal with its range for anything else."""
        given, low, high = self.options.get(option.name, default), option.low or 0, option.high or inf
        number = read_whole(given) if option.kind is OptionKind.WHOLE else read_number(given)
        if number is None or not low <= number <= high:
            raise Refusal("settings.not_a_number_in_range", name=option.name, low=low, high=high, given=str(given)[:40])
        return number

    @property
    def request(self) -> dict[str, Value]:
        """The settings given for this one question, by name."""
        return {name: value for name, value in self.options.items() if name in SETTINGS}


Handler = Callable[[Context], Awaitable[Outgoing | None]]


@dataclass(frozen=True, slots=True)
class Command:
    """One command, declared once for every platform."""

    name: str
    run: Handler = field(repr=False)
    options: tuple[Option, ...] = ()
    for_managers: bool = False  # refused to others, and hidden from them where the platform can do that
    everywhere: bool = False  # works even where the bot may not answer
    for_groups: bool = False  # not offered in private chats, where it does nothing

    def option(self, name: str) -> Option | None:
        return next((option for option in self.options if option.name == name), None)

    def names(self, texts: Texts) -> dict[str, str]:
        """The command's name by language; platforms that allow only ASCII use the English one."""
        return texts.translations(f"command.{self.name}.name")

    def descriptions(self, texts: Texts) -> dict[str, str]:
        """The description by language, at most 100 characters each."""
        return texts.translations(f"command.{self.name}.description")


def setting_option(setting: Setting, name: str = "") -> Option:
    """An option that takes a setting's value; named like the setting, or `name`."""
    numeric = setting.kind in {SettingKind.NUMBER, SettingKind.WHOLE}
    return Option(
        name or setting.name,
        OptionKind(setting.kind),
        low=setting.low if numeric else None,
        high=setting.high if numeric else None,
        choices=setting.choices,
        words=f"choice.{setting.name}.{{choice}}",
        setting=setting.name,
        complete=partial(complete_setting, setting) if setting.suggestions else None,
        keeps=True,
    )


def complete_setting(setting: Setting, typing: Typing) -> Iterator[Suggestion]:
    """Suggest usual numbers up to the person's cap, the cap itself included; or the labels of choices."""
    cap = typing.caps.get(setting.name, setting.high)
    numbers = sorted({*(each for each in setting.suggestions if each <= cap), *((cap,) if setting.name in typing.caps else ())})
    yield from ((print_number(each), int(each) if setting.kind is SettingKind.WHOLE else each) for each in numbers)
    yield from ((typing.texts.render(typing.language, f"choice.{setting.name}.{choice}"), choice) for choice in setting.choices)


ANSWER = Option("answer_id", OptionKind.WHOLE, hidden=True)
REQUEST = tuple(setting_option(setting) for setting in SETTINGS.values() if setting.wire)
