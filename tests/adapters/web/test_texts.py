"""The page's texts: the same in each language, all of them used."""

from __future__ import annotations

import html.parser
import json
import re

import pytest

from adapters.web.assets import STATIC

EXPECTED_WORDS = {page: json.loads((STATIC / "texts" / f"{page}.json").read_text("utf-8")) for page in ("en", "zh-CN", "zh-TW")}


class Named(html.parser.HTMLParser):
    """Collects the names of texts that a page uses."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.names |= {value for name, value in attributes if name in ("data-text", "data-label", "data-placeholder") and value}


def names_in_use() -> set[str]:
    parser = Named()
    for page in STATIC.glob("*.html"):
        parser.feed(page.read_text("utf-8"))
    scripts = "\n".join(script.read_text("utf-8") for script in STATIC.glob("*.js"))
    return parser.names | set(re.findall(r'\bsay\("([\w-]+)"', scripts))


@pytest.mark.parametrize("language", ["zh-CN", "zh-TW"])
def test_every_language_says_the_same_things(language: str) -> None:
    english, other = EXPECTED_WORDS["en"], EXPECTED_WORDS[language]
    assert english.keys() == other.keys()
    for key, words in english.items():
        assert set(re.findall(r"\{\w+\}", words)) == set(re.findall(r"\{\w+\}", other[key])), key


def test_every_text_that_the_page_names_exists() -> None:
    assert names_in_use() <= EXPECTED_WORDS["en"].keys()


def test_no_text_is_left_over() -> None:
    code = "\n".join(path.read_text("utf-8") for path in [*STATIC.glob("*.js"), *STATIC.glob("*.html"), *STATIC.parent.glob("*.py")])
    unused = {key for key in EXPECTED_WORDS["en"] if f'"{key}"' not in code and not key.startswith("state-")}
    assert unused == set()
