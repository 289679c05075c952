"""Makes a model's Markdown safe to show on Discord: it can forge no mention, masked link, header or small print.

Discord's own rules decide what is code; where the two could be read differently, the text is taken to be no code.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

GAP = "\u200b"  # is not seen, and parts what would be read as one

CODE = re.compile(r"```[\s\S]+?```|(?<![`\\])(`{1,2})(?!`)[^`\n](?:[^\n]*?[^`\n])?\1(?!`)")
# <@1>, <@!1>, <@&1>, <#1>, </ask:1>, <id:browse>: shown as a mention even where it notifies nobody.
MENTION = re.compile(r"<(?=@[!&]?\d+>|#\d+>|id:\w+>|/[^\n:<>]{1,100}:\d+>)")
LINK = re.compile(r"(?<![<(])https?://[^\s<>`]+")
EVERYONE = re.compile(r"@(?=everyone|here)", re.IGNORECASE)
HEADER = re.compile(
    r"^(?P<before>[ \t]*(?:(?:>{1,3}|[-*+]|\d{1,9}[.)])[ \t]+)*)#{1,6}[ \t]+(?P<title>[^\n]*?)[ \t]*#*[ \t]*$", re.MULTILINE
)
SMALL_PRINT = re.compile(r"^(?P<before>[ \t]*(?:(?:>{1,3}|[*+]|\d{1,9}[.)])[ \t]+)*)-#", re.MULTILINE)


def defuse(text: str) -> str:
    """`text` as it may be sent."""
    pieces: list[str] = []
    end = 0
    for code in CODE.finditer(text):
        pieces += [_prose(text[end : code.start()]), _code(code[0])]
        end = code.end()
    return "".join([*pieces, _prose(text[end:])])


def hide(text: str) -> str:
    """`text`, defused already, under spoiler tags that nothing in it can end."""
    inner = text.replace("||", f"|{GAP}|")
    padding = GAP if inner.endswith(("\\", "|")) else ""
    return f"||{inner}{padding}||"


def code_block(text: str) -> str:
    """Plain lines as they are, in a block that nothing in them can end."""
    return f"```\n{text.replace('`', f'{GAP}`')}\n```"


def furled(text: str) -> str:
    """`text`, defused already, with links that show nothing of what they lead to."""
    return outside_code(text, lambda prose: LINK.sub(r"<\g<0>>", prose))


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """`text`, defused already, with all but its code changed."""
    ends = [0, *(end for code in CODE.finditer(text) for end in code.span()), len(text)]
    pieces = [text[start:end] for start, end in pairwise(ends)]
    return "".join(piece if number % 2 else change(piece) for number, piece in enumerate(pieces))


def small_print(text: str) -> str:
    """A footer: small and grey."""
    return "\n".join(f"-# {line}" for line in defuse(text).splitlines() if line.strip())


def _prose(text: str) -> str:
    titled = HEADER.sub(_bold, _harmless(text))
    return SMALL_PRINT.sub(r"\g<before>\\-#", titled).replace("](", r"]\(")


def _bold(header: re.Match[str]) -> str:
    """Models write headers to structure an answer: bold does that, and nobody takes it for the channel's own."""
    title = header["title"].replace("**", "")
    return f"{header['before']}**{title}**" if title else header["before"]


def _code(code: str) -> str:
    """Code as it is, unless a link's label could begin before it and end in it."""
    depth, written = 0, []
    for at, letter in enumerate(code):
        depth += {"[": 1, "]": -1}.get(letter, 0)
        ends_a_label = letter == "]" and depth < 0 and code.startswith("(", at + 1)
        written.append(letter + GAP if ends_a_label else letter)
        depth = max(depth, 0)
    return _harmless("".join(written))


def _harmless(text: str) -> str:
    return EVERYONE.sub(f"@{GAP}", MENTION.sub(f"<{GAP}", text))
