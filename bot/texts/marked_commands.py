"""Commands that stand in our own texts, marked where a platform can make them clickable, until its adapter shows them.

Foreign words can hold no mark: bot/sanitize.py takes the two characters out of whatever comes in. So what a person or a
model writes is never taken for a command that we named.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

# Unicode keeps these two for a program's own use: no text that is sent to anybody holds them.
BEGIN: Final = "\ufdd0"
END: Final = "\ufdd1"
MARKED: Final = re.compile(f"{BEGIN}([a-z_]+)/([^{END}]+){END}")


def mark(name: str, shown: str) -> str:
    """The command `name` as it stands in a text; `shown`: its name in the text's language."""
    return f"{BEGIN}{name}/{shown}{END}"


def show_marked(text: str, show: Callable[[str, str], str]) -> str:
    """`text` with each marked command as `show(name, shown)` writes it."""
    return MARKED.sub(lambda found: show(found[1], found[2]), text)


def show_plain(text: str) -> str:
    """`text` with each marked command as people type it."""
    return show_marked(text, lambda _, shown: f"/{shown}")


def without_marks(text: str) -> str:
    """`text` without the two characters."""
    return text.replace(BEGIN, "").replace(END, "")
