"""Every word the bot says, in every language it speaks: one TOML file each beside this module.

A text's key is its path in the file (`picture.too_large`). A text that depends on a number is a table of `one` and
`other`, chosen by the value `count`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from bot.contracts import Value

ENGLISH: Final = "en"
CHINESE: Final = "zh-CN"
LANGUAGES: Final = (ENGLISH, CHINESE)
PLURAL: Final = {"one", "other"}
FOLDER: Final = Path(__file__).parent

Text = str | Mapping[str, str]


class Texts:
    """The texts of all languages; make one with `load_texts`."""

    def __init__(self, languages: Mapping[str, Mapping[str, Text]]) -> None:
        self._languages = languages

    def say(self, language: str, key: str, **values: Value) -> str:
        """The bot's own words. A language that it does not speak falls back to English; an unknown key is a KeyError."""
        text = self._languages[match_language(language) or ENGLISH][key]
        if not isinstance(text, str):
            text = text["one" if values["count"] == 1 and "one" in text else "other"]
        return text.format(**values)

    def written(self, language: str) -> Mapping[str, Text]:
        """The texts of one language as they are written, by key."""
        return self._languages[language]

    def translations(self, key: str) -> dict[str, str]:
        """A text without values in every language: what platforms register as a command's names and descriptions."""
        return {language: self.say(language, key) for language in LANGUAGES}


def load_texts() -> Texts:
    return Texts({language: dict(_flatten(tomllib.loads((FOLDER / f"{language}.toml").read_text("utf-8")))) for language in LANGUAGES})


def match_language(wanted: str) -> str | None:
    """The language of ours that a reader of `wanted` (BCP 47, or a platform's `zh_TW`) knows; None if we speak none.

    All Chinese is answered in Simplified Chinese: to readers of Traditional Chinese it is nearer than English.
    """
    base = wanted.replace("_", "-").split("-")[0].lower()
    return {"en": ENGLISH, "zh": CHINESE, "cmn": CHINESE}.get(base)


def choose_language(*wanted: str | None) -> str:
    """The first of these that we speak: a setting, then the person's locale, then the bot's default; else English."""
    return next((found for each in wanted if each and (found := match_language(each))), ENGLISH)


def _flatten(table: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Text]]:
    for name, value in table.items():
        key = f"{path}.{name}" if path else name
        if isinstance(value, str) or value.keys() <= PLURAL:
            yield key, value
        else:
            yield from _flatten(value, key)
