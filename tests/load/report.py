"""What a load test found: percentiles of what people waited for, what was lost or said twice, and the bot's memory."""

from __future__ import annotations

import resource
from collections.abc import Sequence
from dataclasses import dataclass, field

from adapters.bench.report import PERCENTILES, percentiles
from tests.load.chat import Asked
from tests.load.held_watch import Held

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Report:
    """`lost`: taken and never answered; `doubled`: answered more than once. Waits are in seconds from the sending of the question."""

    questions: int
    refused: int
    lost: int
    doubled: int
    acknowledgement: tuple[float, ...]
    first_words: tuple[float, ...]
    final: tuple[float, ...]
    memory_mib: float  # of the bot's process, at its most
    refusals: tuple[str, ...] = ()  # their words
    held: Held = field(default_factory=Held)

    @property
    def good(self) -> bool:
        return self.lost == 0 and self.doubled == 0 and self.questions > self.refused

    def lines(self) -> list[str]:
        rows = [("acknowledged", self.acknowledgement), ("first words shown", self.first_words), ("whole answer shown", self.final)]
        return [
            f"{self.questions} questions, {self.refused} refused by the limits, {self.lost} lost, {self.doubled} answered twice",
            f"{'seconds':<20}" + "".join(f"{f'p{each}':>9}" for each in PERCENTILES),
            *(f"{name:<20}" + "".join(f"{value:9.3f}" for value in found) for name, found in rows),
            f"The bot's process took {self.memory_mib:.0f} MiB at its most.",
            f"{self.held.waiting} questions waited at once at most; {self.held.left} were left in memory.",
        ]


def report(questions: Sequence[Asked]) -> Report:
    answered = [asked for asked in questions if not asked.refused]
    return Report(
        questions=len(questions),
        refused=len(questions) - len(answered),
        lost=sum(asked.final is None for asked in answered),
        doubled=sum(asked.answers > 1 for asked in answered),
        acknowledgement=percentiles(asked.acknowledged - asked.at for asked in questions if asked.acknowledged is not None),
        first_words=percentiles(asked.first_words - asked.at for asked in answered if asked.first_words is not None),
        final=percentiles(asked.final - asked.at for asked in answered if asked.final is not None),
        refusals=tuple(asked.words for asked in questions if asked.refused),
        memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MIB,
    )
