"""One message of a conversation, as the prompt renderer takes it. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from engine.api import Role
from engine.images.decode import Picture


@dataclass(frozen=True)
class Turn:
    """One message. `parts` are its texts and pictures in the order they were sent; only a user's message may hold pictures."""

    role: Role
    parts: tuple[str | Picture, ...]


def words_of(turn: Turn) -> str:
    """All texts of a message."""
    return "\n".join(part for part in turn.parts if isinstance(part, str))
