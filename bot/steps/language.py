"""The language of programs that answer a question in steps: one call a line, each result named; the last line is the answer.

    program  = { line } "answer(" name ")"
    line     = name " = " function "(" argument { ", " argument } ")"
    argument = name | '"' text '"'

It has no loops, no numbers and no access to anything but the picture: what it costs is known before it runs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bot.errors import BotError

MOST_LINES: Final = 12
MOST_TEXT: Final = 120  # characters of one text
PICTURE: Final = "picture"  # the name of the whole picture, known from the beginning
RELATIONS: Final = ("left of", "right of", "above", "below", "more than", "fewer than", "as many as")

# Of each function what its arguments are: a picture or a part of it, found things, a number, any result (a name), or a text.
FUNCTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "find": ("part", "text"),
    "count": ("things",),
    "crop": ("part or things", "text?"),
    "read": ("part or things",),
    "ask": ("part or things", "text"),
    "where": ("things",),
    "exists": ("things",),
    "compare": ("any", "text", "any"),
}
_NAME: Final = r"[a-z][a-z0-9_]{0,19}"
_TEXT: Final = rf'"[^"\\\n]{{1,{MOST_TEXT}}}"'
_ARGUMENT: Final = rf"(?:{_TEXT}|{_NAME})"
_LINE: Final = rf"{_NAME} = (?:{'|'.join(FUNCTIONS)})\({_ARGUMENT}(?:, {_ARGUMENT}){{0,2}}\)"
_PARSED: Final = re.compile(rf"(?P<name>{_NAME})\s*=\s*(?P<function>[a-z]+)\(\s*(?P<given>{_ARGUMENT}(?:\s*,\s*{_ARGUMENT}){{0,2}})\s*\)")
_ANSWER: Final = re.compile(rf"answer\(\s*(?P<name>{_NAME})\s*\)")

SCHEMA: Final[dict[str, Any]] = {  # of a model's answer that is a program: any server that keeps to JSON schemas keeps to the grammar
    "type": "object",
    "properties": {
        "program": {
            "type": "array",
            "items": {"type": "string", "pattern": rf"^{_LINE}$"},
            "minItems": 1,
            "maxItems": MOST_LINES - 1,
        },
        "answer": {"type": "string", "pattern": rf"^{_NAME}$"},
    },
    "required": ["program", "answer"],
    "additionalProperties": False,
}


class ProgramError(BotError):
    """A text that is no program. Its words are for logs and for the model that wrote it."""


@dataclass(frozen=True, slots=True)
class Argument:
    """A text, or the name of an earlier result."""

    value: str
    is_text: bool


@dataclass(frozen=True, slots=True)
class Call:
    """One line. `name`: of its result."""

    name: str
    function: str
    arguments: tuple[Argument, ...]

    def __str__(self) -> str:
        given = ", ".join(f'"{each.value}"' if each.is_text else each.value for each in self.arguments)
        return f"{self.name} = {self.function}({given})"


@dataclass(frozen=True, slots=True)
class Program:
    """What runs line by line; the result called `answer` is the answer."""

    calls: tuple[Call, ...]
    answer: str

    def __str__(self) -> str:
        return "\n".join([*map(str, self.calls), f"answer({self.answer})"])


def parse(text: str) -> Program:
    """Raises ProgramError, which names the line and what is wrong with it."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    if not 2 <= len(lines) <= MOST_LINES:
        raise ProgramError(f"A program has from 2 to {MOST_LINES} lines; this has {len(lines)}.")
    known, calls = {PICTURE}, []
    for line in lines[:-1]:
        call = _call(line, known)
        known.add(call.name)
        calls.append(call)
    answer = _ANSWER.fullmatch(lines[-1])
    if answer is None or answer["name"] not in known - {PICTURE}:
        raise ProgramError(f"The last line is answer(name) with the name of a result: {lines[-1][:80]}")
    return Program(tuple(calls), answer["name"])


def _call(line: str, known: set[str]) -> Call:
    found = _PARSED.fullmatch(line)
    if found is None:
        raise ProgramError(f"This is no line of a program: {line[:80]}")
    if found["function"] not in FUNCTIONS or found["name"] == PICTURE:
        raise ProgramError(f"There is no function {found['function']}, or its result can't be called so: {line[:80]}")
    arguments = tuple(_argument(each) for each in re.findall(_ARGUMENT, found["given"]))
    wanted = FUNCTIONS[found["function"]]
    if not sum(not kind.endswith("?") for kind in wanted) <= len(arguments) <= len(wanted):
        raise ProgramError(f"{found['function']} takes {len(wanted)} arguments: {line[:80]}")
    for argument, kind in zip(arguments, wanted, strict=False):
        if argument.is_text != kind.startswith("text"):
            raise ProgramError(f"{found['function']} takes a {kind} where {argument.value!r} stands: {line[:80]}")
        if not argument.is_text and argument.value not in known:
            raise ProgramError(f"Nothing is called {argument.value} before this line: {line[:80]}")
    return Call(found["name"], found["function"], arguments)


def _argument(given: str) -> Argument:
    return Argument(given.strip('"'), given.startswith('"'))
