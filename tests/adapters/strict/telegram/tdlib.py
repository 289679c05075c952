"""Telegram's own judgement of a formatted text, offline: TDLib, which its servers are built on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import tdjson

KINDS = {
    "bold": "textEntityTypeBold",
    "italic": "textEntityTypeItalic",
    "strikethrough": "textEntityTypeStrikethrough",
    "spoiler": "textEntityTypeSpoiler",
    "code": "textEntityTypeCode",
    "pre": "textEntityTypePre",
    "blockquote": "textEntityTypeBlockQuote",
    "text_link": "textEntityTypeTextUrl",
}
QUIET = json.dumps({"@type": "setLogVerbosityLevel", "new_verbosity_level": 0}).encode()
PINGING = {"textEntityTypeMention", "textEntityTypeMentionName"}


def execute(request: Mapping[str, Any]) -> dict[str, Any]:
    tdjson.td_execute(QUIET)
    answer: dict[str, Any] = json.loads(tdjson.td_execute(json.dumps(request).encode()) or b"{}")
    return answer


def complaint(text: str, entities: Sequence[Mapping[str, Any]]) -> str | None:
    """What Telegram has against these entities; None: nothing."""
    answer = _judged(text, entities)
    return f"Bad Request: can't parse entities: {answer['message']}" if answer["@type"] == "error" else None


def understood(text: str, entities: Sequence[Mapping[str, Any]]) -> str:
    """The text as Telegram shows it, in its own Markdown."""
    return str(_judged(text, entities)["text"])


def mentions(text: str, entities: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names that Telegram finds in a text by itself; not in code."""
    found = execute({"@type": "getTextEntities", "text": text})["entities"]
    code = [(each["offset"], each["offset"] + each["length"]) for each in entities if each["type"] in {"code", "pre"}]
    return [
        cut(text, each["offset"], each["length"])
        for each in found
        if each["type"]["@type"] in PINGING and not any(start <= each["offset"] < end for start, end in code)
    ]


def cut(text: str, offset: int, length: int) -> str:
    """By UTF-16 units."""
    return text.encode("utf-16-le")[2 * offset : 2 * (offset + length)].decode("utf-16-le")


def _judged(text: str, entities: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    formatted = {"@type": "formattedText", "text": text, "entities": [_entity(entity) for entity in entities]}
    return execute({"@type": "getMarkdownText", "text": formatted})


def _entity(entity: Mapping[str, Any]) -> dict[str, Any]:
    kind: dict[str, Any] = {"@type": KINDS[entity["type"]]}
    if entity.get("language"):
        kind = {"@type": "textEntityTypePreCode", "language": entity["language"]}
    if entity.get("url"):
        kind["url"] = entity["url"]
    return {"@type": "textEntity", "offset": entity["offset"], "length": entity["length"], "type": kind}
