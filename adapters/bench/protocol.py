"""What the measurement and the bot under it tell each other, a line of JSON each, over the bot's standard input and output.

Times are seconds of the steady clock, which the processes of one machine share.
"""

from __future__ import annotations

from pydantic import BaseModel


class Message(BaseModel):
    """To the bot: what somebody says in a channel. `at`: when; `asks`: the bot, not each other."""

    name: str
    channel: int
    at: float
    asks: bool


class Heard(BaseModel):
    """One message's way; None = that did not happen. `received` and `answered`: by the engine, whose first words came to be `shown`."""

    at: float
    asks: bool
    taken: float | None = None
    received: float | None = None
    answered: float | None = None
    shown: float | None = None
    ended: float | None = None


class Memory(BaseModel):
    """Resident, of the bot's process, in MB of 10⁶ bytes: now, and at its most so far."""

    now: float
    most: float


class Ready(BaseModel):
    """From the bot: it takes messages."""

    memory: Memory | None  # None where the system does not tell; Linux does


class Observed(BaseModel):
    """From the bot, in the end."""

    memory: Memory | None
    heard: list[Heard]
