"""How long to wait before the next try, after some failures in a row: every part that tries again takes its pause from here."""

from __future__ import annotations

from collections.abc import Sequence

MOST_STEPS = 20  # `longest` is reached before; a larger power could overflow


def listed_pause(failures: int, pauses: Sequence[float]) -> float:
    """Seconds: `pauses[failures]`, and the last of them from then on."""
    return pauses[min(failures, len(pauses) - 1)]


def growing_pause(failures: int, first: float, factor: float, longest: float) -> float:
    """Seconds: `first`, times `factor` for each failure, at most `longest`."""
    return min(longest, first * factor ** min(failures, MOST_STEPS))
