"""When a picture is looked at more closely without being asked to: the question is about something small, and the picture is large."""

from __future__ import annotations

import re
from typing import Final

from bot.regions import QUARTERS, Region, find_region

LARGER: Final = 2.5  # times the model's eye, on a side, from which details get lost
SEES_MANY: Final = 336  # pixels of an eye: models with smaller ones were taught one picture a message, and five confuse them

_SMALL: Final = re.compile(
    r"\b(?:small\w*|tiny|little|detail\w*|texts?|numbers?|digits?|labels?|tags?|signs?|letters?|plates?|badges?|who|background person"
    r"|written|writing|says?|reads?|price|logo)\b|小|细节|細節|文字|[写寫]着?|[写寫]了|数字|數字|号码|號碼|标签|標籤|牌|谁|誰|字",
    re.IGNORECASE,
)


def parts_to_see(question: str, side: int, eye: int | None, *, one_picture: bool, quoted: bool) -> tuple[Region, ...]:
    """The parts of a picture that are shown to a model by themselves too; empty: the whole is enough.

    `side`: pixels of its longer side, in the sharpest file that is kept of it (sharpest.py). `eye`: the pixels of a side that the model
    sees; None: nobody knows, and nothing is done. `one_picture`: it takes no more than one. `quoted`: the writing in it was read already.
    """
    if eye is None or side < LARGER * eye:
        return ()
    if named := find_region(question):
        return (named.region,)
    several = not one_picture and eye >= SEES_MANY
    return QUARTERS if several and not quoted and asks_for_detail(question) else ()


def asks_for_detail(question: str) -> bool:
    return _SMALL.search(question) is not None
