"""A place's stored messages as the page shows them, under the names that it already knows from the live events."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from adapters.web.platform import seen_in_steps, stored
from bot.api import Remembered
from bot.platform import Button


def page_id(message: Remembered) -> str:
    """The page's own name of a question that was asked there; else one that is made of the message's number."""
    return message.message_ids[0] if message.role == "user" and message.message_ids else stored(message.id)


def as_shown(messages: tuple[Remembered, ...]) -> list[dict[str, Any]]:
    """Oldest first. A `parent` may be one that was not fetched."""
    return [_shown(message) for message in messages]


def _shown(message: Remembered) -> dict[str, Any]:
    answer = message.role == "assistant"
    return {
        "id": page_id(message),
        "parent": None if message.parent is None else message.replies_to or stored(message.parent),
        "number": message.id,
        "role": "bot" if answer else "person",
        "text": message.text,
        "footer": "" if message.footer == message.text else message.footer,
        "buttons": [button.value for button in message.buttons if button is not Button.SETTINGS],
        "answer": message.id if answer else None,
        "pictures": [f"/api/pictures/{sha256}" for sha256 in message.pictures],
        "final": not message.pending,
        "columns": [asdict(column) for column in message.columns],
        "steps": message.steps,
        "seen": seen_in_steps(message),
        "actions": [asdict(action) for action in message.actions],
        "at": message.at.isoformat(),
        "conversation": message.conversation,
    }
