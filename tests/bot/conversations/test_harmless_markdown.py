"""A renderer that allows everything makes no tag and no running link of what was made harmless; markdown-it judges."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.conversations.harmless_markdown import JOINER, harmless

HOSTILE = [
    "<script>alert(1)</script>",
    "\\<script>alert(1)</script>",
    "``<script>alert(1)</script>`",
    "``` a`b\n<script>alert(1)</script>",
    "```\nx\n   ```\n<script>alert(1)</script>",
    "```\nx\r```\r<script>alert(1)</script>",
    "`a\nb` <script>alert(1)</script> `c`",
    "- ```\n  ```\n<script>alert(1)</script>",
    "\\`<script>alert(1)</script>`",
    "<!-- --><?php ?><![CDATA[x]]></div>",
    "[x](javascript:alert(1))",
    "[x](\n<JavaScript&colon;alert(1)>)",
    "[x](java\\script:alert(1)) [x](&#106;avascript:alert(1))",
    "![x](data:text/html,x)",
    "[x][y]\n\n[y]: javascript:alert(1)",
    "<javascript:alert(1)>",
]
PAGES = ("https:", "http:", "mailto:")
PIECES = (
    *("`", "``", "```", "~~~", "~~~~", "\n", "\r", "    ", "  ", "\t", "<script>", "<b", "</b>", "<!--", "[x](", "[x]: ", "[x]", ")", "a"),
    *("javascript:", "&#106;avascript:", "https://x.example", "\\", "- ", "> ", "1. ", "<", ">", "![", "](", "*", "&lt;"),
)


def every(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from every(token.children or ())


def made_of(page: str) -> list[str]:
    """What runs on the page that a renderer makes of it: tags, and addresses of links with a scheme that is no page's."""
    renderer = MarkdownIt("commonmark", {"html": True})
    renderer.validateLink = lambda url: True  # type: ignore[method-assign]
    tokens = list(every(renderer.parse(page)))
    tags = [token.content for token in tokens if token.type in {"html_block", "html_inline"}]
    links = [str(token.attrGet("href") or token.attrGet("src") or "") for token in tokens if token.type in {"link_open", "image"}]
    return tags + [link for link in links if re.match(r"[a-z][a-z0-9+.-]*:", link.lower()) and not link.lower().startswith(PAGES)]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_runs_that_ran_before(text: str) -> None:
    assert made_of(text) or text.startswith("- ```")
    assert made_of(harmless(text)) == []


@settings(max_examples=200)
@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=14).map("".join), min_size=1, max_size=3))
def test_nothing_runs_in_a_page_of_several_messages(texts: list[str]) -> None:
    assert made_of("\n\n".join(f"### {number}\n\n{harmless(text)}" for number, text in enumerate(texts))) == []


def test_ordinary_markdown_stays() -> None:
    text = "**a < b** and 1<2, [a page](https://x.example), [here](#there)\n\n```html\n<b>x</b>\n```\n- `x`"
    assert harmless(text) == text


def test_a_tag_is_still_read() -> None:
    assert harmless("<b> is bold") == "&lt;b> is bold"
    assert harmless("`<b>` is bold") == f"`<{JOINER}b>` is bold"


def test_code_that_is_not_closed_ends_with_its_message() -> None:
    assert harmless("~~~~\n<b>") == "~~~~\n<b>\n~~~~"
