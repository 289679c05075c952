"""The settings of an answer, declared once: each one's type, range and default. Parsing says the range when a value breaks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from bot.errors import Refusal
from bot.message import Value
from bot.numbers import read_number, read_whole
from bot.texts import CHINESE, ENGLISH, LANGUAGES, TAIWANESE
from engine.api import MAX_BEAMS, PictureDetail


class Memory(StrEnum):
    """What a message continues that replies to nothing."""

    SHARED = "shared"  # the place's newest conversation
    PERSONAL = "personal"  # the author's newest in this place
    REPLIES = "replies"  # nothing: always fresh


@dataclass(frozen=True, slots=True)
class AnswerSettings:
    """The settings of one answer, resolved. None = the model's own default."""

    temperature: float | None = None
    beams: int | None = None
    top_p: float | None = None
    top_k: int | None = None
    repetition_penalty: float | None = None
    length_penalty: float | None = None
    max_new_tokens: int | None = None
    language: str = "en"  # BCP 47: of the bot's own words
    answer_language: str | None = None  # that somebody set by /language: of the answer, too, where the model can; None = as the question
    memory: Memory = Memory.SHARED
    system_prompt: str | None = None
    detail: PictureDetail | None = None  # how closely pictures are looked at; None = as the engine's operator chose
    zoom: str = "on"  # whether large pictures are looked at closer where a question asks about something small


@dataclass(frozen=True, slots=True)
class VariedSetting:
    """A comparison: one question, answered once with each of these values of one setting."""

    setting: str
    values: tuple[Value, ...]

    def each(self, settings: AnswerSettings) -> tuple[AnswerSettings, ...]:
        """The settings of every column."""
        return tuple(replace(settings, **{self.setting: value}) for value in self.values)  # type: ignore[arg-type]  # SETTINGS types them


class SettingKind(StrEnum):
    """What a setting's value is."""

    NUMBER = "number"
    WHOLE = "whole"  # a whole number
    CHOICE = "choice"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. Its words are the texts `setting.<name>.…`; `wire` is its name among the engine's own defaults.

    `low` and `high` bound a number, both included, or the length of a text in characters.
    """

    name: str
    kind: SettingKind
    low: float = 0
    high: float = 0
    choices: tuple[str, ...] = ()
    default: Value | None = None  # None = the model's own
    wire: str = ""
    suggestions: tuple[float, ...] = ()  # what autocompletion offers
    aliases: Mapping[str, str] = field(default_factory=dict)  # other words for a choice, in lower case

    def parse(self, given: Value) -> Value:
        """The value as it is stored. Raises Refusal that names the setting's range or its choices."""
        if self.kind is SettingKind.CHOICE:
            return self._choice(str(given))
        if self.kind is SettingKind.TEXT:
            return self._text(str(given).strip())
        return self._number(given)

    def _choice(self, given: str) -> str:
        words = {choice.lower(): choice for choice in self.choices} | dict(self.aliases)
        found = words.get(given.strip().lower())
        if found is None:
            raise Refusal("settings.not_a_choice", name=self.name, choices=", ".join(self.choices), given=given[:40])
        return found

    def _text(self, given: str) -> str:
        if len(given) > self.high:
            raise Refusal("settings.too_long", name=self.name, limit=int(self.high), count=len(given))
        return given

    def _number(self, given: Value) -> float | int:
        whole = self.kind is SettingKind.WHOLE
        number = read_whole(given) if whole else read_number(given)
        if number is None or not self.low <= number <= self.high:
            key = "settings.not_a_whole_number_in_range" if whole else "settings.not_a_number_in_range"
            raise Refusal(key, name=self.name, low=self.low, high=self.high, given=str(given)[:40])
        return number

    @property
    def shapes_answer(self) -> bool:
        """Whether an answer comes out otherwise with another value: such a value is shown below it."""
        return bool(self.wire) or self.kind is SettingKind.TEXT


DETAILS: Final = ("low", "normal", "high")  # coarse to fine
LANGUAGE_NAMES: Final = {
    **dict.fromkeys(("english", "英文", "英语", "英語"), ENGLISH),
    **dict.fromkeys(("zh", "zh-hans", "chinese", "中文", "简体中文", "簡體中文", "汉语"), CHINESE),
    **dict.fromkeys(("zh-hant", "zh-hk", "繁體中文", "繁体中文", "正體中文", "國語"), TAIWANESE),
}

SETTINGS: Final[Mapping[str, Setting]] = {
    setting.name: setting
    for setting in (
        Setting("temperature", SettingKind.NUMBER, 0, 2, wire="temperature", suggestions=(0, 0.2, 0.7, 1.0, 1.5)),
        Setting("beams", SettingKind.WHOLE, 1, MAX_BEAMS, default=1, wire="num_beams", suggestions=(1, 3, 5, MAX_BEAMS)),
        Setting("top_p", SettingKind.NUMBER, 0.01, 1, wire="top_p", suggestions=(0.5, 0.9, 1)),
        Setting("top_k", SettingKind.WHOLE, 0, 1000, wire="top_k", suggestions=(0, 20, 50, 100)),
        Setting("repetition_penalty", SettingKind.NUMBER, 0.5, 2, wire="repetition_penalty", suggestions=(1, 1.1, 1.3)),
        Setting("length_penalty", SettingKind.NUMBER, -5, 5, wire="length_penalty", suggestions=(-1, 0, 1, 2)),
        Setting("max_new_tokens", SettingKind.WHOLE, 1, 4096, default=300, wire="max_tokens", suggestions=(50, 300, 1000)),
        Setting("language", SettingKind.CHOICE, choices=LANGUAGES, aliases=LANGUAGE_NAMES),
        Setting("memory", SettingKind.CHOICE, choices=tuple(each.value for each in Memory), default=Memory.SHARED.value),
        Setting("system_prompt", SettingKind.TEXT, 0, 2000),
        Setting("detail", SettingKind.CHOICE, choices=DETAILS, wire="detail"),
        Setting("zoom", SettingKind.CHOICE, choices=("on", "off"), default="on"),
    )
}


def find_setting(name: str) -> Setting:
    """The setting of this name. Raises Refusal that lists all names."""
    setting = SETTINGS.get(name.strip().lower())
    if setting is None:
        raise Refusal("settings.unknown", name=name[:40], names=", ".join(SETTINGS))
    return setting
