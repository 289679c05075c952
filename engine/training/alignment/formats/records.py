"""One record of a table, a shard or an export becomes an example: `image, question, answer`, or LLaVA's conversations. No torch."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.training.alignment.dataset import BadRow, Example, StoredPicture

ANSWERS = ("answer", "caption", "text")  # the columns that may hold what is learned
PLACE = re.compile(r"\s*<image>\s*")  # LLaVA's mark of where a picture stands
SPEAKERS = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant"}
Find = Callable[[str], StoredPicture | None]
Turns = tuple[tuple[str, str], ...]


class UnusableRecord(Exception):
    """Why a record is no example."""


def to_example(row: int, source: str, record: Mapping[str, Any], find: Find) -> Example | BadRow:
    """`find` gives the picture of a name, or None where there is none."""
    try:
        return Example(row, source, pictures_of(record, find), turns_of(record))
    except UnusableRecord as error:
        return BadRow(row, source, str(error))


def pictures_of(record: Mapping[str, Any], find: Find) -> tuple[StoredPicture, ...]:
    """None where the record names none: words alone keep a model's speech."""
    named = record.get("image") or ()
    names = [named] if isinstance(named, str) else named
    if not isinstance(names, Sequence) or not all(isinstance(name, str) and name for name in names):
        raise UnusableRecord("wrong column: `image` is neither a file's name nor a list of such.")
    found = [find(name) for name in names]
    if None in found:
        missing = names[found.index(None)]
        raise UnusableRecord(f"missing picture: {missing}{': addresses are not fetched, give files' if '://' in missing else ''}.")
    return tuple(picture for picture in found if picture)


def turns_of(record: Mapping[str, Any]) -> Turns:
    if "conversations" in record:
        return conversation(record["conversations"])
    there = [name for name in ANSWERS if name in record]
    column = next((name for name in there if record[name] is not None), there[0] if there else None)
    if column is None:
        raise UnusableRecord(f"wrong columns: it has {', '.join(record) or 'none'}, and none of {', '.join(ANSWERS)} or conversations.")
    answer, question = spoken(record[column], column), record.get("question")
    if not answer:
        raise UnusableRecord(f"empty text: `{column}` says nothing.")
    if question is None:
        if not record.get("image"):
            raise UnusableRecord(f"answer without a question: it has no picture in `image` either, only {', '.join(record)}.")
        return (("", answer),)
    if not (asked := PLACE.sub("", spoken(question, "question"))):
        raise UnusableRecord("answer without a question: `question` is empty; leave the column out for captions.")
    return ((asked, answer),)


def conversation(given: Any) -> Turns:
    """LLaVA's form: `[{"from": "human", "value": "<image>\\nWhat is it?"}, {"from": "gpt", "value": "A cat."}, …]`."""
    if not isinstance(given, Sequence) or isinstance(given, str) or not all(isinstance(turn, Mapping) for turn in given):
        raise UnusableRecord("wrong column: `conversations` is no list of messages.")
    if not given:
        raise UnusableRecord("empty text: its conversation has no message.")
    said = [message(turn) for turn in given]
    for at, (role, _) in enumerate(said):
        if role != ("user", "assistant")[at % 2]:
            what = "answer without a question" if role == "assistant" else "question without an answer"
            raise UnusableRecord(f"{what}: message {at + 1} of its conversation.")
    if len(said) % 2:
        raise UnusableRecord(f"question without an answer: message {len(said)} of its conversation.")
    turns = tuple((PLACE.sub("", asked), answer) for (_, asked), (_, answer) in zip(said[::2], said[1::2], strict=True))
    if empty := next((number for number, (asked, answer) in enumerate(turns, 1) if not answer or not asked), None):
        raise UnusableRecord(f"empty text: turn {empty} of its conversation.")
    return turns


def message(turn: Mapping[str, Any]) -> tuple[str, str]:
    """Its role and text."""
    speaker = turn.get("from", turn.get("role"))
    role = SPEAKERS.get(str(speaker))
    if role is None:
        raise UnusableRecord(f"wrong column: a message is from {speaker!r}, neither human nor gpt.")
    return role, spoken(turn.get("value", turn.get("content")), "value")


def spoken(value: Any, column: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str | int | float):
        raise UnusableRecord(f"wrong column: `{column}` is no text.")
    return str(value).strip()
