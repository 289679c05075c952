"""What a person types, pastes or drags into the terminal: which words of a line are picture files, and which are the question.

Terminals write a dragged file's path in quotes, with backslashes before its spaces, or as a `file://` address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from adapters.terminal.pictures import is_file

PIECE = re.compile(r"""(?<!\S)(?:'(?P<single>[^']+)'|"(?P<double>[^"]+)"|(?P<bare>(?:\\.|[^\s\\])+))(?!\S)""")
REPLY = re.compile(r">\s*(?P<number>\d{1,6})(?!\S)\s*(?P<rest>.*)", re.DOTALL)
ESCAPED = re.compile(r"\\(.)")
DRIVE = re.compile(r"(?P<letter>[A-Za-z]):[\\/](?P<rest>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Typed:
    """One line, understood. `reply_to`: the number of the answer that `>3 …` continues."""

    text: str
    pictures: tuple[Path, ...] = ()
    reply_to: int | None = None


def understand(line: str) -> Typed:
    """Every word that names a file that exists is a picture; the rest is the question."""
    reply = REPLY.fullmatch(line.strip())
    rest = reply["rest"] if reply else line.strip()
    number = int(reply["number"]) if reply else None
    if whole := _file(rest):
        return Typed("", (whole,), number)  # pasted with bare spaces in it
    found = [(match, path) for match in PIECE.finditer(rest) if (path := _path_of(match))]
    for match, _ in reversed(found):
        rest = rest[: match.start()] + rest[match.end() :]
    return Typed(re.sub(r"[ \t]{2,}", " ", rest).strip(), tuple(path for _, path in found), number)


def _path_of(match: re.Match[str]) -> Path | None:
    quoted = match["single"] or match["double"]
    if quoted:
        return _file(quoted)
    bare = match["bare"]
    return _file(ESCAPED.sub(r"\1", bare)) or _file(bare)


def _file(text: str) -> Path | None:
    """The file of this name. A bare word without a dot or a slash is never one: it is a word of the question."""
    if not re.search(r"[./\\~]", text) or len(text) > 4096 or "\0" in text:
        return None
    return next((path for path in _readings(text) if is_file(path)), None)


def _readings(text: str) -> Iterator[Path]:
    if text.startswith("file://"):
        yield Path(unquote(text.removeprefix("file://").removeprefix("localhost")))
        return
    drive = DRIVE.fullmatch(text)
    if drive:  # a Windows path, typed in WSL
        yield Path("/mnt", drive["letter"].lower(), drive["rest"].replace("\\", "/"))
    path = Path(text)
    yield Path.home() / text.removeprefix("~/") if text.startswith("~/") else path
