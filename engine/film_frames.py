"""How the frames of a film stand in a message to a model: each after a label that says its order and time. No torch; the bot imports this
module."""

from __future__ import annotations

import re
from typing import Final

LABEL: Final = re.compile(r"^(?:First|Then|After that|Finally), at (\d+(?:\.\d+)?) s:$", re.MULTILINE)


def frame_label(number: int, count: int, seconds: float) -> str:
    """What stands before a film's frame. `number` from 0, of `count`; `seconds` from the film's beginning."""
    if number == 0:
        order = "First"
    elif number == count - 1:
        order = "Finally"
    else:
        order = "Then" if number == 1 else "After that"
    return f"{order}, at {seconds:.1f} s:"
