"""Reads CommonMark into plain text and spans of style, the few that Telegram knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.token import Token
from telegram import MessageEntity

INLINE = {
    "strong": MessageEntity.BOLD,
    "em": MessageEntity.ITALIC,
    "s": MessageEntity.STRIKETHROUGH,
    "heading": MessageEntity.BOLD,
    "blockquote": MessageEntity.BLOCKQUOTE,
    "link": MessageEntity.TEXT_LINK,
}
BULLET = "•"
RULE = "———"
INDENT = "  "


@dataclass(frozen=True, slots=True)
class Span:
    """A style from one character to another. `language` belongs to code, `url` to links."""

    start: int
    end: int
    kind: str
    url: str | None = None
    language: str | None = None


def read_markdown(markdown: str) -> tuple[str, list[Span]]:
    """The text and its spans, outer ones first. Takes anything: what is no Markdown stays as it was written."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("strikethrough").disable(["reference", "code"])
    writer = _Writer()
    writer.write_blocks(parser.parse(markdown))
    return "".join(writer.pieces), sorted(writer.spans, key=lambda span: (span.start, -span.end))


@dataclass
class _Writer:
    pieces: list[str] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    length: int = 0
    _open: list[tuple[int, str, str | None]] = field(default_factory=list)
    _numbers: list[int | None] = field(default_factory=list)  # of the lists that are open; None = bullets
    _marker: str = ""  # of the item that has just begun
    _separator: str = ""
    _quotes: int = 0

    def write_blocks(self, tokens: Sequence[Token]) -> None:
        for token in tokens:
            self._write_block(token)

    def _write_block(self, token: Token) -> None:
        name = token.type.removesuffix("_open").removesuffix("_close")
        if token.type == "inline":
            self._write_inline(token.children or [])
        elif name in {"fence", "code_block"}:
            self._begin()
            self._code(token.content.removesuffix("\n"), MessageEntity.PRE, next(iter(token.info.split()), None))
            self._separate("\n\n")
        elif token.type == "hr":
            self._begin()
            self._write(RULE)
            self._separate("\n\n")
        elif name in {"bullet_list", "ordered_list"}:
            self._list(token)
        elif token.type == "list_item_open":
            self._marker = self._next_marker()
        elif token.type == "list_item_close" and self._marker:
            self._begin()
            self._separate("\n")
        elif name in {"paragraph", "heading", "blockquote"}:
            self._container(name, token)

    def _container(self, name: str, token: Token) -> None:
        if name == "blockquote":
            self._quotes += token.nesting
            if self._quotes > 1 or (self._quotes == 1 and token.nesting < 0):
                return  # Telegram nests no quotes
        if token.nesting > 0:
            self._begin()
            self._start(name)
        else:
            self._end(name)
            self._separate("\n" if token.hidden else "\n\n")

    def _list(self, token: Token) -> None:
        if token.nesting > 0:
            if self._marker:
                self._begin()
                self._separate("\n")
            start = token.attrGet("start")
            self._numbers.append((int(start) if start is not None else 1) if token.type.startswith("ordered") else None)
        else:
            self._numbers.pop()
            self._separate("\n" if self._numbers else "\n\n")

    def _next_marker(self) -> str:
        number = self._numbers[-1]
        if number is not None:
            self._numbers[-1] = number + 1
        return f"{INDENT * (len(self._numbers) - 1)}{BULLET if number is None else f'{number}.'} "

    def _write_inline(self, tokens: Sequence[Token]) -> None:
        for token in tokens:
            name = token.type.removesuffix("_open").removesuffix("_close")
            if name in INLINE:
                self._start(name, _web(token.attrGet("href"))) if token.nesting > 0 else self._end(name)
            elif token.type == "code_inline":
                self._code(token.content, MessageEntity.CODE)
            elif token.type == "image":
                self._image(token)
            else:
                self._write("\n" if token.type in {"softbreak", "hardbreak"} else token.content)

    def _image(self, token: Token) -> None:
        self._start("link", _web(token.attrGet("src")))
        self._write(token.content or str(token.attrGet("src")))
        self._end("link")

    def _code(self, text: str, kind: str, language: str | None = None) -> None:
        start = self.length
        self._write(text)
        self.spans.append(Span(start, self.length, kind, language=language))

    def _start(self, name: str, url: str | None = None) -> None:
        self._open.append((self.length, name, url))

    def _end(self, name: str) -> None:
        start, _, url = self._open.pop()
        if name in INLINE and (name != "link" or url):
            self.spans.append(Span(start, self.length, INLINE[name], url=url))

    def _begin(self) -> None:
        """A block starts here: what separates it from the one before, and the list item's marker."""
        separator, marker = self._separator, self._marker
        self._separator = self._marker = ""
        self._write(separator if self.length else "")
        self._write(marker)

    def _separate(self, separator: str) -> None:
        self._separator = separator

    def _write(self, text: str) -> None:
        self.pieces.append(text)
        self.length += len(text)


def _web(address: str | int | float | None) -> str | None:
    """Only web addresses are linked: others could name a person."""
    return str(address) if str(address).startswith(("http://", "https://")) else None
