"""How sure a measured share is."""

from __future__ import annotations

import math

Z_95 = 1.96


def wilson(right: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share `right`/`n` (Wilson 1927), which stays within 0 … 1 and is fair for small n. n > 0."""
    share, spread = right / n, Z_95**2 / n
    middle = (share + spread / 2) / (1 + spread)
    half = Z_95 * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)
