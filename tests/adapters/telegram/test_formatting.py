"""Whatever a model writes, Telegram takes it as it was meant, and nobody is pinged."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.telegram.formatting import Formatted, format_markdown, most_units, plain, utf16_length
from adapters.telegram.platform import TelegramPlatform, keyboard
from bot.delivery.split import split
from bot.platform import Action, Button, Outgoing
from bot.texts import load_texts
from tests.adapters.strict.telegram import tdlib

MARKUP = [
    "```",
    "```python\n",
    "`",
    "``",
    "**",
    "*",
    "_",
    "__",
    "~~",
    "||",
    "<b>",
    "</b>",
    "<",
    ">",
    "-",
    "1.",
    "#",
    ".",
    "!",
    "\\",
    "[",
    "](",
    ")",
    "&amp;",
    "&",
    "|",
    "---\n",
]
ADDRESSES = ["http://x.y", "tg://user?id=3", "@someone", "@", "someone", "@all_of_you", "/start"]
LETTERS = [
    "\n",
    "\n\n",
    "    ",
    "\t",
    " ",
    "goose ",
    "鹅",
    "🪿",
    "👩‍👩‍👧‍👦",
    "\u202e",
    "\u200b",
    "\ufeff",
    "\ud83e",
    "\x00",
    "\x07",
    "e\u0301",
]
GRAPHEME_PART = re.compile("[\u200d\ufe0f\u0301]")  # what only follows something: a part that begins with it was cut in a character
HOSTILE = st.lists(st.sampled_from([*MARKUP, *ADDRESSES, *LETTERS]), max_size=60).map("".join)


def judged(formatted: Formatted) -> None:
    entities = [entity.to_dict() for entity in formatted.entities]
    assert tdlib.complaint(formatted.text, entities) is None
    assert tdlib.mentions(formatted.text, entities) == []
    assert len(entities) <= 100
    assert formatted.text.strip()


@settings(deadline=None)  # a busy machine is slow, not wrong
@example(text="-@someone", footer="", spoiler=False)
@given(text=HOSTILE | st.text(), footer=st.sampled_from(["", "temperature 0.7", "@someone * _"]), spoiler=st.booleans())
def test_nothing_breaks_the_formatting(text: str, footer: str, spoiler: bool) -> None:
    formatted = format_markdown(text, footer, spoiler=spoiler)
    judged(formatted)
    judged(plain(formatted))
    assert format_markdown(text).units <= most_units(text)


@settings(deadline=None, max_examples=25)
@example(pieces=["\t", "```", "```", "goose ", "goose "])
@given(pieces=st.lists(st.sampled_from([*MARKUP, *ADDRESSES, *LETTERS, "🪿🪿🪿 ", "word " * 20]), min_size=1, max_size=12))
def test_long_answers_are_cut_where_nothing_breaks(pieces: list[str]) -> None:
    limits, text = TelegramPlatform.limits, "".join(pieces)
    for part in split(text * (6_000 // len(text) + 1), limits.text, limits.length):
        formatted = format_markdown(part)
        judged(formatted)
        assert formatted.units <= limits.text
        assert not GRAPHEME_PART.match(formatted.text)


def test_no_emoji_is_cut_in_two() -> None:
    family = "👩‍👩‍👧‍👦"
    limits = TelegramPlatform.limits
    for part in split(family * 1_000, limits.text, limits.length):
        assert part.replace(family, "") == ""


@pytest.mark.parametrize("piece", ["@someone ", "**🪿 goose** `a@b`\n\n", "- one\n", "[geese](https://geese.example/pond) ", "```\n@x\n"])
def test_every_part_fits_after_its_markup_is_read(piece: str) -> None:
    limits = TelegramPlatform.limits
    for part in split(piece * (6_000 // len(piece)), limits.text, limits.length):
        assert format_markdown(part).units <= limits.text


@pytest.mark.parametrize(
    ("markdown", "text", "entities"),
    [
        ("**bold** and _italic_", "bold and italic", [("bold", "bold"), ("italic", "italic")]),
        ("🪿 ~~no~~ `x < 1`", "🪿 no x < 1", [("strikethrough", "no"), ("code", "x < 1")]),
        ("# Geese\n\nThey honk.", "Geese\n\nThey honk.", [("bold", "Geese")]),
        ("```py\na = 1\n```", "a = 1", [("pre", "a = 1")]),
        ("```\nnever closed", "never closed", [("pre", "never closed")]),
        ("- one\n- two\n  - three", "• one\n• two\n  • three", []),
        ("2. two\n3. three\n\nEnd.", "2. two\n3. three\n\nEnd.", []),
        ("> said\n>\n> twice", "said\n\ntwice", [("blockquote", "said\n\ntwice")]),
        ("[geese](https://geese.example)", "geese", [("text_link", "geese")]),
        ("[you](tg://user?id=3)", "you", []),
        ("1 < 2 & 3 > 2", "1 < 2 & 3 > 2", []),
        ("<b>not</b> a tag", "<b>not</b> a tag", []),
        ("* **nested `code`**", "• nested code", [("bold", "nested code"), ("code", "code")]),
        ("", "…", []),
    ],
)
def test_markdown_becomes_entities(markdown: str, text: str, entities: list[tuple[str, str]]) -> None:
    formatted = format_markdown(markdown)
    assert formatted.text == text
    assert [(each.type, tdlib.cut(text, each.offset, each.length)) for each in formatted.entities] == entities
    judged(formatted)


def test_a_mention_is_broken_outside_code_and_kept_within() -> None:
    formatted = format_markdown("@someone, mail a@b.example, `@property`")
    assert formatted.text == "@\u2060someone, mail a@b.example, @property"
    assert plain(formatted).text.count("\u2060") == 2
    judged(formatted)


@pytest.mark.parametrize(("text", "shown"), [("A `goose`.", "||A goose.||"), ("```py\ngoose = 1\n```", "||goose = 1||")])
def test_a_spoiler_covers_the_answer_its_code_and_its_footer(text: str, shown: str) -> None:
    formatted = format_markdown(text, spoiler=True)
    assert tdlib.understood(formatted.text, [entity.to_dict() for entity in formatted.entities]) == shown
    footed = format_markdown(text, "temperature 0.7", spoiler=True)
    assert (footed.entities[0].type, footed.entities[0].length) == ("spoiler", utf16_length(footed.text))


def test_an_address_becomes_a_link_in_a_row_of_its_own() -> None:
    message = Outgoing("A cat.", (Button.AGAIN,), 7, actions=(Action("How?", "", "https://gander.example/how/x"),))
    made = keyboard(message, load_texts())
    assert made is not None
    (again,), (link,) = made.inline_keyboard
    assert (link.url, link.callback_data, again.callback_data) == ("https://gander.example/how/x", None, "/again answer_id:7")
