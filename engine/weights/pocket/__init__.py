"""What the repository ships of the pocket model: its card and its trained bridge. No torch."""

from __future__ import annotations

from pathlib import Path

CARD = Path(__file__).with_name("gander.json")
BRIDGE = Path(__file__).with_name("bridge.safetensors")
