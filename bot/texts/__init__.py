"""Every word the bot says, in every language it speaks: one TOML file each beside this module.

A text's key is its path in the file (`picture.too_large`). A text that depends on a number is a table of `one` and
`other`, chosen by the value `count`. Some texts differ by platform: a text below `on.chat` replaces the common one on platforms
without servers, one below `on.telegram` on Telegram, and so on (`Texts.on`).

A command stands in a text as `/ask`, or as `/{name}` where a value names it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

from bot.message import Value
from bot.texts.marked_commands import mark

ENGLISH: Final = "en"
CHINESE: Final = "zh-CN"
TAIWANESE: Final = "zh-TW"  # Chinese in traditional characters, in Taiwan's own words
LANGUAGES: Final = (ENGLISH, CHINESE, TAIWANESE)
TRADITIONAL: Final = frozenset({"hant", "tw", "hk", "mo"})  # what tells in a locale that traditional characters are read
PLURAL: Final = {"one", "other"}
FOLDER: Final = Path(__file__).parent

# The groups below `on.` whose texts replace the common ones on a platform; the first wins.
DIALECTS: Final[Mapping[str, tuple[str, ...]]] = {
    "telegram": ("telegram", "chat"),
    "web": ("web", "chat"),
    "terminal": ("terminal", "chat"),
}
OWN: Final = "on."
CLICKABLE: Final = frozenset({"discord"})  # platforms that show a command under its translated name, and make it clickable in a text
COMMAND: Final = re.compile(r"(?<![\w/])/([a-z]+)(?![\w/])")
COMMAND_VALUE: Final = re.compile(r"/\{(\w+)\}")

Text = str | Mapping[str, str]


class Texts:
    """The texts of all languages; make one with `load_texts`."""

    def __init__(
        self,
        languages: Mapping[str, Mapping[str, Text]],
        own: Mapping[str, Mapping[str, Text]] | None = None,
        *,
        marks_commands: bool = False,
    ) -> None:
        """`own`: by language, the texts of single platforms, whose keys begin with theirs (`telegram.ask.empty`).
        `marks_commands`: those in texts are marked (bot/texts/marked_commands.py)."""
        self._languages = languages
        self._marks_commands = marks_commands
        self._own = own or {language: {} for language in languages}
        self._dialects: dict[str, Texts] = {}

    def on(self, platform: str) -> Texts:
        """The texts for this platform."""
        if platform not in self._dialects:
            words = {language: self._dialect(platform, language) for language in self._languages}
            self._dialects[platform] = Texts(words, self._own, marks_commands=platform in CLICKABLE)
        return self._dialects[platform]

    def _dialect(self, platform: str, language: str) -> Mapping[str, Text]:
        texts = dict(self._languages[language])
        for dialect in reversed(DIALECTS.get(platform, (platform,))):
            start = f"{dialect}."
            texts |= {key.removeprefix(start): text for key, text in self._own[language].items() if key.startswith(start)}
        return {key: _named(text, texts) for key, text in texts.items()} if platform in CLICKABLE else texts

    def own(self, language: str) -> Mapping[str, Text]:
        """The texts of one language that differ by platform, unrendered; their keys begin with the platform or group."""
        return self._own[language]

    def forms(self, key: str) -> frozenset[str]:
        """A text without values, in every language and for every platform: all that people may type for it."""
        return _forms(self, key)

    def render(self, language: str, key: str, **values: Value) -> str:
        """A text with its values filled in. An unsupported language falls back to English; an unknown key is a KeyError."""
        text = self._languages[match_language(language) or ENGLISH][key]
        if not isinstance(text, str):
            text = text["one" if values["count"] == 1 and "one" in text else "other"]
        text = COMMAND_VALUE.sub(lambda found: self.command(language, str(values[found[1]])), text)
        return text.format(**values)

    def command(self, language: str, name: str) -> str:
        """A command as it stands in a text on this platform."""
        if not self._marks_commands:
            return f"/{name}"
        return _marked(name, self._languages[match_language(language) or ENGLISH])

    def written(self, language: str) -> Mapping[str, Text]:
        """The texts of one language, unrendered, by key."""
        return self._languages[language]

    def translations(self, key: str) -> dict[str, str]:
        """A text without values in every language: what platforms register as a command's names and descriptions."""
        return {language: self.render(language, key) for language in LANGUAGES}


@cache
def load_texts() -> Texts:
    """Read once in a process: two thousand lines take a while, and never change."""
    written = {language: dict(_flatten(tomllib.loads((FOLDER / f"{language}.toml").read_text("utf-8")))) for language in LANGUAGES}
    shared = {language: {key: text for key, text in texts.items() if not key.startswith(OWN)} for language, texts in written.items()}
    own = {
        language: {key.removeprefix(OWN): text for key, text in texts.items() if key.startswith(OWN)} for language, texts in written.items()
    }
    return Texts(shared, own)


@cache
def _forms(texts: Texts, key: str) -> frozenset[str]:
    views = (texts, *map(texts.on, DIALECTS))
    return frozenset(view.render(language, key) for view in views for language in LANGUAGES)


def _named(text: Text, texts: Mapping[str, Text]) -> Text:
    """With the commands in it marked, each with the name that it has in this language."""
    if not isinstance(text, str):
        return {form: str(_named(words, texts)) for form, words in text.items()}
    return COMMAND.sub(lambda found: _marked(found[1], texts), text)


def _marked(name: str, texts: Mapping[str, Text]) -> str:
    """What is no command of ours stays as it is."""
    shown = texts.get(f"command.{name}.name")
    return f"/{name}" if shown is None else mark(name, str(shown))


@lru_cache(1_000)  # Discord's commands ask for each of their words in each of thirty languages
def match_language(wanted: str) -> str | None:
    """The supported language that a reader of `wanted` (BCP 47, or a platform's `zh_TW.UTF-8`) understands; None if there is none.

    Chinese is written in the characters that are read there: traditional ones in Taiwan, Hong Kong and Macau.
    """
    base, *parts = re.split(r"[-_.@]", wanted.lower())
    if base not in {"zh", "cmn"}:
        return ENGLISH if base == "en" else None
    return TAIWANESE if "hans" not in parts and TRADITIONAL.intersection(parts) else CHINESE


def choose_language(*wanted: str | None) -> str:
    """The first supported one of these: a setting, then the person's locale, then the bot's default; else English."""
    return next((found for each in wanted if each and (found := match_language(each))), ENGLISH)


def _flatten(table: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Text]]:
    for name, value in table.items():
        key = f"{path}.{name}" if path else name
        if isinstance(value, str) or value.keys() <= PLURAL:
            yield key, value
        else:
            yield from _flatten(value, key)
