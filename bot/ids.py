"""Whom and what a command names: purely an id, or a platform's real mention. No name is searched for digits: it is nobody's for sure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

PERSON: Final = "person"
ROLE: Final = "role"
CHANNEL: Final = "channel"
SERVER: Final = "server"

SNOWFLAKE: Final = 1 << 64
TELEGRAM: Final = 1 << 52  # "at most 52 significant bits", as the Bot API says of its ids
NUMBER: Final = r"(?:0|[1-9]\d{0,19})"
# Of Telegram, somebody who writes as a group or a channel has its negative id.
SIGNED: Final = rf"-?{NUMBER}"
# By what they name: the id alone, and as a mention of Discord's. A thread's or topic's channel stands before it: 12/34.
FORMS: Final[Mapping[str, tuple[re.Pattern[str], ...]]] = {
    PERSON: (re.compile(SIGNED, re.ASCII), re.compile(rf"<@!?({SIGNED})>", re.ASCII)),
    ROLE: (re.compile(NUMBER, re.ASCII), re.compile(rf"<@&({NUMBER})>", re.ASCII)),
    CHANNEL: (re.compile(rf"{SIGNED}(?:/{NUMBER})?", re.ASCII), re.compile(rf"<#({NUMBER})>", re.ASCII)),
    SERVER: (re.compile(NUMBER, re.ASCII),),
}
WITH_SERVERS: Final = "discord"
LARGEST: Final = (1 << 63) - 1  # that a database holds


def read_id(kind: str, given: str, platform: str) -> str | None:
    """The id of a person, role, channel or server on a platform; None for anything else, and for what the platform has not."""
    if kind in {ROLE, SERVER} and platform == "telegram":
        return None
    text = given.strip()
    for form in FORMS[kind]:
        if match := form.fullmatch(text):
            found = match[match.lastindex or 0]
            return found if _fits(found, platform) else None
    return None


def read_own(given: str | float) -> int | None:
    """One of our own ids, as buttons and addresses carry them; None for what no database could hold."""
    text = str(given)
    number = int(text) if re.fullmatch(NUMBER, text, re.ASCII) else LARGEST + 1
    return number if number <= LARGEST else None


def _fits(found: str, platform: str) -> bool:
    """Whether the platform could have given such numbers: others would only look like an id."""
    numbers = [int(each) for each in found.split("/")]
    if platform == WITH_SERVERS:
        return all(0 <= number < SNOWFLAKE for number in numbers)
    return "-0" not in found and all(abs(number) < TELEGRAM for number in numbers)
