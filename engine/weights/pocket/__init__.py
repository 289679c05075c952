"""What the repository ships of the pocket model: its card and its trained bridge. No torch."""

from __future__ import annotations

from pathlib import Path

CARD = Path(__file__).with_name("gander.json")
BRIDGE = Path(__file__).with_name("bridge.safetensors")


def bridge_file(folder: Path) -> Path:
    """The bridge of the pocket model in this folder: its own, if one was trained there, or the repository's."""
    own = folder / BRIDGE.name
    return own if own.is_file() else BRIDGE
