"""Numbers as people type them and as they are shown: what is taken is printed back the same, and what could be two is not taken."""

from __future__ import annotations

import re
from decimal import Decimal
from math import isfinite
from typing import Final

# "1,000" is a thousand to some and one to others: neither is guessed.
GROUPED: Final = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+", re.ASCII)
DECIMAL: Final = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)", re.ASCII)
WHOLE: Final = re.compile(r"[+-]?\d{1,15}", re.ASCII)
LONGEST: Final = 400  # characters
# As Chinese and Japanese keyboards write them.
WIDE: Final = str.maketrans("０１２３４５６７８９．，－＋", "0123456789.,-+")


def read_number(given: str | float) -> float | None:
    """The number that is meant; None for anything else, and for what could mean two."""
    if isinstance(given, bool):
        return None
    if isinstance(given, int | float):
        return float(given) if isfinite(given) else None
    text = given.strip().translate(WIDE)
    if GROUPED.fullmatch(text) or not DECIMAL.fullmatch(text) or len(text) > LONGEST:
        return None
    written = text.replace(",", ".")
    number = float(written)
    return number if isfinite(number) and Decimal(written) == Decimal(repr(number)) else None  # more digits than a float keeps


def read_whole(given: str | float) -> int | None:
    """The whole number that is meant; None for anything else: "1.000" may be a thousand."""
    if isinstance(given, str):
        text = given.strip().translate(WIDE)
        return int(text) if WHOLE.fullmatch(text) else None
    number = read_number(given)
    return int(number) if number is not None and number == int(number) else None


def print_number(number: float) -> str:
    """As people read it: 1.0 as 1, every digit that counts, no exponent. `read_number` reads it back."""
    return str(number) if isinstance(number, int) else format(Decimal(repr(number + 0.0)).normalize(), "f")
