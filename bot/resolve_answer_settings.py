"""Settings in effect: this request → me → this thread → its channel → this server → the bot's default, within the operator's caps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from time import time
from typing import Final

from bot.access.permissions import may_set_for_all
from bot.access.policy_store import EVERYWHERE, PolicyStore, policy_home
from bot.answer_settings import SETTINGS, AnswerSettings, Memory, Setting, SettingKind, find_setting
from bot.errors import Refusal
from bot.message import Author, Place, Value
from bot.numbers import print_number
from bot.store.database import Database
from bot.store.scoped_settings import Home, Scope, clear_setting, write_setting
from bot.texts import Texts, choose_language

FRESH_SECONDS: Final = 0.5  # settings are read once for all steps of an event
OPENED: Final = "opened"  # stored beside a channel's or server's values: everyone there may set them


class Origin(StrEnum):
    """Where a value comes from, nearest first. Its words are the texts `origin.<value>`."""

    REQUEST = "request"
    PERSON = "person"
    THREAD = "thread"
    CHANNEL = "channel"
    SERVER = "server"
    DEFAULT = "default"
    MODEL = "model"  # nobody set it


@dataclass(frozen=True, slots=True)
class Effective:
    """The value of one setting that holds now. `value` None: the model's own default, which no cap lowers."""

    setting: Setting
    value: Value | None
    origin: Origin
    cap: float | None = None  # set when it made the value smaller


@dataclass(frozen=True, slots=True)
class ResolvedSettings:
    """The settings of one answer, and what its footer says of them."""

    settings: AnswerSettings
    footer: str = ""  # what differs from the default, for the small line below the answer


def homes(place: Place, author: Author) -> Iterator[tuple[Origin, Home]]:
    """Where values that hold for this person in this place may be stored, nearest first."""
    yield Origin.PERSON, (Scope.PERSON, author.key)
    if place.thread:
        yield Origin.THREAD, (Scope.CHANNEL, place.key)
    yield Origin.CHANNEL, (Scope.CHANNEL, place.channel_key)
    if place.server_key:
        yield Origin.SERVER, (Scope.SERVER, place.server_key)


def home_of(scope: Scope, place: Place, author: Author) -> Home:
    """Where a value for this scope is stored; in a thread, the channel is the thread. Raises Refusal where there is no server."""
    if scope is Scope.PERSON:
        return scope, author.key
    if scope is Scope.CHANNEL:
        return scope, place.key
    if place.server_key is None:
        raise Refusal("settings.no_server")
    return scope, place.server_key


class ScopedSettings:
    """Stores settings by person, channel and server, and resolves which value holds."""

    def __init__(self, database: Database, texts: Texts, defaults: Mapping[str, Value], policies: PolicyStore) -> None:
        self._database = database
        self._texts = texts
        self._defaults = defaults
        self._policies = policies

    async def prefetch(self, place: Place, author: Author) -> None:
        """Read in one transaction what an event needs of this place and person: the settings, and the policies that bound them."""
        where = {EVERYWHERE, policy_home(place), *(home for _, home in homes(place, author))}
        await self._policies.settings.read(where, FRESH_SECONDS)

    def read_anew(self) -> None:
        """What is stored was changed by others than this object."""
        self._policies.settings.forget_all()

    async def resolve(
        self, place: Place, author: Author, request: Mapping[str, Value], locale: str | None, *, varied: str = ""
    ) -> ResolvedSettings:
        """The settings of one question. `varied`: the setting that a comparison varies; the footer leaves it out, since each column
        names its own value. Raises Refusal for a value in `request` that is out of range or above a cap."""
        found = await self.effective(place, author, request)
        language = self._language(found["language"], locale)
        values = {name: each.value for name, each in found.items()}
        chosen = {
            "language": language,
            "answer_language": None if found["language"].origin is Origin.DEFAULT else found["language"].value,
            "memory": Memory(str(values["memory"])),
        }
        settings = AnswerSettings(**values | chosen)  # type: ignore[arg-type]  # SETTINGS types them
        return ResolvedSettings(settings, self._footer((each for each in found.values() if each.setting.name != varied), language))

    async def effective(self, place: Place, author: Author, request: Mapping[str, Value] | None = None) -> Mapping[str, Effective]:
        """Every setting's value with its origin. Raises Refusal as `resolve` does."""
        caps = await self.caps(place, author)
        layers = [(Origin.REQUEST, self._parse(request or {}, caps)), *await self._kept(place, author), (Origin.DEFAULT, self._defaults)]
        return {name: _pick(setting, layers, caps.get(name)) for name, setting in SETTINGS.items()}

    async def caps(self, place: Place, author: Author) -> Mapping[str, float]:
        """The highest values that this person may set here; without one, the setting's own."""
        return (await self._policies.allowance(place, author)).caps

    async def language(self, place: Place, author: Author, locale: str | None) -> str:
        """The language to speak to this person here."""
        return self._language((await self.effective(place, author))["language"], locale)

    async def put(self, place: Place, author: Author, scope: Scope, name: str, value: Value) -> Value:
        """Store a value; returns it parsed. Raises Refusal for a bad value, and where this person may not set it."""
        parsed = self._parse({name: value}, await self.caps(place, author))[name]
        await self._check(place, author, scope)
        await self._write(place, author, scope, name, parsed)
        return parsed

    async def clear(self, place: Place, author: Author, scope: Scope, name: str) -> bool:
        """Delete a stored value; whether there was one. Raises Refusal where this person may not."""
        await self._check(place, author, scope)
        home = home_of(scope, place, author)
        cleared = await self._database.write(clear_setting, home, find_setting(name).name)
        self._policies.settings.forget(home)
        return cleared

    async def open(self, place: Place, author: Author, opened: bool) -> None:
        """Let everyone set the values of this server (of this channel, where there are no servers), or only managers again."""
        if not may_set_for_all(place, author, opened=False):
            raise Refusal("settings.not_yours_to_open")
        await self._write(place, author, Scope.SERVER if place.server else Scope.CHANNEL, OPENED, opened)

    async def may_set(self, place: Place, author: Author, scope: Scope) -> bool:
        if scope is Scope.PERSON or may_set_for_all(place, author, opened=False):
            return True
        return any(kept.get(OPENED) for _, kept in await self._kept(place, author))

    async def _check(self, place: Place, author: Author, scope: Scope) -> None:
        if not await self.may_set(place, author, scope):
            raise Refusal("settings.not_yours_to_set")

    async def _write(self, place: Place, author: Author, scope: Scope, name: str, value: Value) -> None:
        home = home_of(scope, place, author)
        await self._database.write(write_setting, home, name, value, set_by=author.key, at=time())
        self._policies.settings.forget(home)

    async def _kept(self, place: Place, author: Author) -> list[tuple[Origin, Mapping[str, Value]]]:
        where = list(homes(place, author))
        kept = await self._policies.settings.read([home for _, home in where], FRESH_SECONDS)
        return [(origin, kept[home]) for origin, home in where]

    def _parse(self, given: Mapping[str, Value], caps: Mapping[str, float]) -> dict[str, Value]:
        parsed = {setting.name: setting.parse(value) for name, value in given.items() for setting in (find_setting(name),)}
        for name, value in parsed.items():
            if name in caps and float(value) > caps[name]:
                raise Refusal("settings.above_cap", name=name, limit=caps[name])
        return parsed

    def _language(self, found: Effective, locale: str | None) -> str:
        chosen = None if found.origin is Origin.DEFAULT else found.value
        return choose_language(*(str(each) for each in (chosen, locale, found.value) if each))

    def _footer(self, found: Iterable[Effective], language: str) -> str:
        unusual = [each for each in found if each.setting.shapes_answer and each.value != self._usual(each.setting)]
        return " · ".join(
            self._texts.render(language, f"setting.{each.setting.name}.footer", value=self._words(each, language)) for each in unusual
        )

    def _words(self, found: Effective, language: str) -> str:
        if found.setting.kind is SettingKind.CHOICE:
            return self._texts.render(language, f"choice.{found.setting.name}.{found.value}")
        return shown(found.value)

    def _usual(self, setting: Setting) -> Value | None:
        return self._defaults.get(setting.name, setting.default)


def shown(value: Value | None) -> str:
    """A value as text: 1.0 as 1."""
    return print_number(value) if isinstance(value, float) else str(value)


def _pick(setting: Setting, layers: Iterable[tuple[Origin, Mapping[str, Value]]], cap: float | None) -> Effective:
    """The nearest value, lowered to the cap where it exceeds that: a cap may have been lowered since the value was set."""
    origin, value = next(((origin, kept[setting.name]) for origin, kept in layers if setting.name in kept), (Origin.MODEL, None))
    if value is None and setting.default is not None:
        origin, value = Origin.DEFAULT, setting.default
    if value is None or cap is None or float(value) <= cap:
        return Effective(setting, value, origin)
    return Effective(setting, int(cap) if setting.kind is SettingKind.WHOLE else cap, origin, cap)
