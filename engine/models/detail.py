"""How closely pictures are looked at: an operator's choice between what can be seen and what it costs. No torch."""

from __future__ import annotations

from typing import Literal

Detail = Literal["low", "normal", "high"]
PIXELS: dict[Detail, int] = {"low": 256 * 1024, "normal": 1024 * 1024, "high": 4 * 1024 * 1024}
SHARE = 0.5  # of a context window, that one picture may fill at most


def pixel_budget(detail: Detail, context_length: int, side: int) -> int:
    """The most pixels that a picture is scaled to, where a token stands for a square of `side` pixels."""
    return min(PIXELS[detail], int(SHARE * context_length) * side * side)
