"""Makes Markdown that people and models wrote harmless wherever it may be shown: no tag of HTML, no link that runs.

Fenced code is left as it is; all else is changed whether it is code or not, since renderers differ in what they take for code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Final

JOINER: Final = "\u2060"  # is not seen, and parts what would be a tag, also in code, where `&lt;` would be shown as it stands
TAG: Final = re.compile(r"<(?=[a-zA-Z/!?])")
FENCE: Final = re.compile(r"`{3,}(?=[^`]*$)|~{3,}")  # at the line's beginning alone: a list's or quotation's own fence begins further right
LINK: Final = re.compile(r"\](?=[(:])")
LONGEST: Final = 500  # characters of an address, with all escapes, before its scheme is over
UNSEEN: Final = re.compile(r"[\x00-\x20\x7f\\]")
SCHEME: Final = re.compile(r"<?([a-z][a-z0-9+.-]*):", re.IGNORECASE)
HARMLESS: Final = frozenset({"http", "https", "mailto"})


def harmless(text: str) -> str:
    """The text with its tags and running links broken; fenced code that is not closed is, so that it ends with the text."""
    return "\n".join(code if fenced else _without_links(_without_tags(code)) for fenced, code in _stretches(text))


def _stretches(text: str) -> Iterator[tuple[bool, str]]:
    """Whether it is fenced code, and lines in a row."""
    lines, fence = list[str](), ""
    for line in re.split(r"\r\n|\r|\n", text):
        if fence:
            lines.append(line)
            if re.fullmatch(rf" {{0,3}}{fence[0]}{{{len(fence)},}}[ \t]*", line):
                yield True, "\n".join(lines)
                lines, fence = [], ""
        elif begun := FENCE.match(line):
            if lines:
                yield False, "\n".join(lines)
            lines, fence = [line], begun[0]
        else:
            lines.append(line)
    if lines or fence:
        yield bool(fence), "\n".join([*lines, fence] if fence else lines)


def _without_tags(text: str) -> str:
    return "\n".join(TAG.sub(f"<{JOINER}" if "`" in line else "&lt;", line) for line in text.split("\n"))


def _without_links(text: str) -> str:
    return LINK.sub(lambda found: "]" if _leads(text[found.end() + 1 : found.end() + LONGEST]) else f"]{JOINER}", text)


def _leads(address: str) -> bool:
    """Whether what a link or a definition is followed by leads to a page, or to a place in the same text."""
    scheme = SCHEME.match(UNSEEN.sub("", unescape(address)))
    return scheme is None or scheme[1].lower() in HARMLESS
