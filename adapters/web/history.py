"""A place's stored messages as the page shows them. Ids are those that the page already knows from the live events."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from bot.ports import Button, Remembered

STORED = "stored-"  # begins the ids of what was never sent


def page_id(message: Remembered) -> str:
    """The platform's id, which replies name; a message without one (a pressed button) gets one that can't be replied to."""
    return message.message_ids[0] if message.message_ids else f"{STORED}{message.id}"


def as_shown(messages: tuple[Remembered, ...]) -> list[dict[str, Any]]:
    """Oldest first. A parent that was not fetched is named by nothing: its child begins a conversation on the page."""
    ids = {message.id: page_id(message) for message in messages}
    return [_shown(message, ids) for message in messages]


def _shown(message: Remembered, ids: dict[int, str]) -> dict[str, Any]:
    answer = message.role == "assistant"
    return {
        "id": ids[message.id],
        "parent": ids.get(message.parent) if message.parent is not None else None,
        "role": "bot" if answer else "person",
        "text": message.text,
        "footer": "" if message.footer == message.text else message.footer,
        "buttons": [button.value for button in message.buttons if button is not Button.SETTINGS],
        "answer": message.id if answer else None,
        "pictures": [f"/api/pictures/{sha256}" for sha256 in message.pictures],
        "final": not message.pending,
        "columns": [asdict(column) for column in message.columns],
        "actions": [asdict(action) for action in message.actions],
        "at": message.at.isoformat(),
        "conversation": message.conversation,
    }
