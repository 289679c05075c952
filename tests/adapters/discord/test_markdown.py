"""What a model writes can mislead nobody on Discord, and its code stays its code."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.discord.markdown import GAP, defuse, hide, small_print
from adapters.discord.message_content import content_of
from adapters.discord.open_interactions import MESSAGE_LENGTH
from adapters.discord.platform import LIMITS
from bot.delivery.split import split
from bot.platform import Outgoing
from tests.adapters.discord.rig import TEXTS

# Discord's own rule for a masked link, from its client's simple-markdown.
LINK = re.compile(r"\[((?:\[[^\]]*\]|[^\[\]]|\](?=[^\[]*\]))*)\]\(\s*<?((?:\([^)]*\)|[^\s\\]|\\.)*?)>?(?:\s+['\"]([\s\S]*?)['\"])?\s*\)")


@pytest.mark.parametrize("text", ["[bank](https://evil.example)", "[`a](http://e) `", "[a\\](http://e)", "[a\n```\n](http://e)```"])
def test_a_masked_link_shows_where_it_leads(text: str) -> None:
    assert LINK.search(text)
    assert not LINK.search(defuse(text))


@pytest.mark.parametrize("text", ["<@1>", "<@!1>", "<@&1>", "<#1>", "</ask:1>", "<id:browse>", "`<@1>`"])
def test_a_mention_is_only_its_letters(text: str) -> None:
    assert defuse(text).replace(GAP, "") == text
    assert defuse(text) != text


def test_everyone_is_not_called() -> None:
    assert defuse("@everyone @here a@b.example") == f"@{GAP}everyone @{GAP}here a@b.example"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("# Announcement", "**Announcement**"),
        ("a\n### **Steps** ##\nb", "a\n**Steps**\nb"),
        ("> ## Quoted", "> **Quoted**"),
        ("- # In a list", "- **In a list**"),
        ("-# temperature 0", "\\-# temperature 0"),
        ("> -# small", "> \\-# small"),
        ("#goose", "#goose"),
    ],
)
def test_headers_and_small_print_are_not_forged(text: str, shown: str) -> None:
    assert defuse(text) == shown


@pytest.mark.parametrize("text", ["```py\n# a comment\na[i](x)\n```", "`a[i](x)`", "x = a < b", "2 * 3 * 4", "a_b_c", "</div>"])
def test_code_and_plain_words_stay(text: str) -> None:
    assert defuse(text) == text


def test_an_unclosed_fence_is_no_code() -> None:
    assert defuse("```\n# Announcement") == "```\n**Announcement**"


@pytest.mark.parametrize("text", ["a || b", "`||`", "ends in \\", "ends in |"])
def test_nothing_ends_a_spoiler_early(text: str) -> None:
    hidden = hide(text)
    assert hidden.startswith("||")
    assert hidden.endswith("||")
    assert "||" not in hidden[2:-2]
    assert not hidden[:-2].endswith(("\\", "|"))


@pytest.mark.parametrize("line", ["a || b\n", "@everyone\n", "||" * 20 + "\n"])
def test_a_hidden_answer_fits_into_its_messages(line: str) -> None:
    parts = split(line * 500, LIMITS.text, LIMITS.length)
    assert len(parts) > 1
    assert max(len(content_of(Outgoing(part, spoiler=True), TEXTS).text) for part in parts) <= MESSAGE_LENGTH


def test_a_name_in_small_print_stays_one_line_of_small_print() -> None:
    assert small_print("About # [x](http://e)\n\n# You won") == "-# About # [x]\\(http://e)\n-# **You won**"


@given(st.text(alphabet="[]()`\\ \na<@!1>#-|/:", max_size=40))
def test_no_text_at_all_gives_a_masked_link_or_a_mention(text: str) -> None:
    shown = defuse(text)
    assert not re.search(r"<(@[!&]?|#)\d+>", shown)
    assert not LINK.search(shown)
    assert not re.search(r"^[ \t]*#{1,3}[ \t]+\S", re.sub(r"```[\s\S]+?```", "", shown), re.MULTILINE)
