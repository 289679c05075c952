"""What Telegram and Discord may send, drawn by hypothesis from the schemas that libraries keep of them: aiogram's models of the Bot API and
discord.py's typed dictionaries. Whatever is drawn is sound; what it says is anything.
"""

from __future__ import annotations

import ast
import datetime
import re
import typing
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final

import discord
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tests.adapters.strict.telegram import bot_api

TIME: Final = re.compile(r"(duration|period|time|seconds|delay)$")
DEEPEST: Final = 4  # beyond, only what a schema demands
DISCORD_TYPES: Final = Path(discord.__file__).parent / "types"
SNOWFLAKE: Final = {str, int}  # how discord.py types an id
IDS: Final = st.integers(1, 2**53 - 1)
NUMBERS: Final = st.one_of(IDS, st.sampled_from((0, -1, 2**31 - 1, -(2**31), 2**52)))
SECONDS: Final = st.integers(1_600_000_000, 1_900_000_000)
TEXTS: Final = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ("/ask what?", "/beams 3", "<@1>", "@gander_bot", "||x||", "```", "‮", "\ud83d\ude00", "0", "", "</ask:1>", "https://x.example")
    ),
)

Draw = typing.Callable[[st.SearchStrategy[Any]], Any]
Known = Mapping[Any, st.SearchStrategy[Any]]  # a schema by class, or a field by name → what is drawn instead


@st.composite
def update(draw: Draw, kinds: tuple[str, ...], known: Known) -> dict[str, Any]:
    """A Telegram update of one of these kinds."""
    kind = draw(st.sampled_from(kinds))
    return {"update_id": draw(IDS), kind: drawn(draw, bot_api.hints(bot_api.module("types").Update)[kind], known, 0)}


@st.composite
def payload(draw: Draw, name: str, known: Known) -> Any:
    """What Discord's gateway sends with an event, by the name of its type in discord.py."""
    return drawn(draw, typed_dictionaries()[name], known, 0)


def drawn(draw: Draw, kind: Any, known: Known, depth: int) -> Any:
    """A value of a type, as JSON holds it."""
    if isinstance(kind, type) and kind in known:
        return draw(known[kind])
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Annotated, typing.Required, typing.NotRequired):
        return drawn(draw, inner[0], known, depth)
    if origin is typing.Literal:
        return draw(st.sampled_from(inner))
    if origin in (typing.Union, UnionType):
        return drawn_union(draw, inner, known, depth)
    if origin in (list, tuple):
        return [drawn(draw, inner[0], known, depth + 1) for _ in range(draw(st.integers(0, 2)) if depth < DEEPEST else 0)]
    if origin is dict or kind is dict:
        return {}
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        hints, fields = bot_api.hints(kind), kind.model_fields.items()
        given = ((field.alias or name, hints[name], always_there(field, hints[name])) for name, field in fields)
        return drawn_object(draw, given, known, depth)
    if typing.is_typeddict(kind):
        return drawn_object(draw, fields_of(kind), known, depth)
    return draw(SIMPLE.get(kind, TEXTS))


def always_there(field: FieldInfo, hint: Any) -> bool:
    """Required, or a constant that tells one kind from another, which aiogram fills in by itself."""
    return field.is_required() or typing.get_origin(hint) is typing.Literal


SIMPLE: Final[Mapping[Any, st.SearchStrategy[Any]]] = {
    bool: st.booleans(),
    int: NUMBERS,
    float: st.floats(-1e6, 1e6),
    str: TEXTS,
    NoneType: st.none(),
    datetime.datetime: SECONDS,
    datetime.timedelta: st.integers(0, 10_000),
}


def drawn_union(draw: Draw, kinds: tuple[Any, ...], known: Known, depth: int) -> Any:
    if set(kinds) >= SNOWFLAKE:
        return str(draw(IDS))
    if NoneType in kinds and (depth >= DEEPEST or draw(st.booleans())):
        return None
    return drawn(draw, draw(st.sampled_from([kind for kind in kinds if kind is not NoneType])), known, depth)


def drawn_object(draw: Draw, fields: typing.Iterable[tuple[str, Any, bool]], known: Known, depth: int) -> dict[str, Any]:
    """All fields that must be there, and a few of the others."""
    given = list(fields)
    optional = [name for name, _, needed in given if not needed]
    more = draw(st.sets(st.sampled_from(optional), max_size=4)) if optional and depth < DEEPEST else set()
    return {
        name: draw(known[name])
        if name in known
        else drawn(draw, of_field(name, without_none(kind) if name in more else kind), known, depth + 1)
        for name, kind, needed in given
        if needed or name in more
    }


def of_field(name: str, kind: Any) -> Any:
    """Some whole numbers are times."""
    return datetime.datetime if kind is int and name.endswith("date") else datetime.timedelta if kind is int and TIME.search(name) else kind


def without_none(kind: Any) -> Any:
    """A field that is there says something."""
    if typing.get_origin(kind) not in (typing.Union, UnionType):
        return kind
    kinds = tuple(each for each in typing.get_args(kind) if each is not NoneType)
    return typing.Union[kinds]  # noqa: UP007 - of as many as there are


def fields_of(kind: Any) -> Iterator[tuple[str, Any, bool]]:
    for name, hint in typing.get_type_hints(kind, globalns=dict(typed_dictionaries()), include_extras=True).items():
        needed = name in kind.__required_keys__ and typing.get_origin(hint) is not typing.NotRequired
        yield name, hint, needed


@cache
def typed_dictionaries() -> Mapping[str, Any]:
    """All of `discord.types` in one namespace. Its modules import each other in circles that only type checkers can go; so their
    statements are carried out one by one, each as soon as what it names is there.
    """
    space: dict[str, Any] = {"__name__": "discord.types in one"}  # no module of this name: names are looked up here
    left = [statement for path in sorted(DISCORD_TYPES.glob("*.py")) for statement in ast.parse(path.read_text(encoding="utf-8")).body]
    left = [each for each in left if not (isinstance(each, ast.ImportFrom) and each.level) and not is_future(each)]
    while left:
        waiting = [statement for statement in left if not carried_out(statement, space)]
        if len(waiting) == len(left):
            raise NameError(f"discord.types names what it does not have: {ast.unparse(waiting[0])[:200]}")
        left = waiting
    return space


def is_future(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"


def carried_out(statement: ast.stmt, space: dict[str, Any]) -> bool:
    module = ast.Module([statement], [])
    try:
        exec(compile(module, "discord.types", "exec", flags=annotations.compiler_flag), space)  # noqa: S102
    except NameError:
        return False
    return True
