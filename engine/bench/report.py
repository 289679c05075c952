"""What a bench found: for programs as JSON, for people in `engine.bench.table`."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from pydantic import BaseModel, ConfigDict

from engine.bench.machine import Machine
from engine.bench.scenarios import Unit


class Finding(BaseModel):
    """One contender in one row: a value a round, or the reason why there is none. `limit` is the roofline, in the same unit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    row: str
    unit: Unit
    people: int
    beams: int
    contender: str
    values: tuple[float, ...] = ()
    reason: str = ""
    limit: float | None = None

    @property
    def median(self) -> float:
        """Of findings that have values."""
        return median(self.values)


class Report(BaseModel):
    """One run. `bandwidth` is in bytes a second, of a copy on the device, read and written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    machine: Machine
    rounds: int
    tokens: int
    prompt_tokens: int  # of a question about a picture
    bandwidth: float
    reference: str  # whom the others are compared with
    same_answers: tuple[int, int]  # of how many that our unquantised engine gave, the reference gave the same
    memory: dict[str, int]  # bytes that a contender took to get warm
    findings: tuple[Finding, ...]

    @property
    def contenders(self) -> list[str]:
        return list(dict.fromkeys(found.contender for found in self.findings))

    @property
    def rows(self) -> list[str]:
        return list(dict.fromkeys(found.row for found in self.findings))

    def found(self, row: str, contender: str) -> Finding | None:
        return next((found for found in self.findings if (found.row, found.contender) == (row, contender)), None)

    def times_reference(self, found: Finding) -> float | None:
        """How many times as fast as the reference: the median of the rounds' own ratios, which a busy machine spoils less."""
        other = self.found(found.row, self.reference)
        if other is None or found.contender == self.reference or not (found.values and other.values):
            return None
        return median(ours / theirs for ours, theirs in zip(found.values, other.values, strict=True))

    def rates(self) -> Iterator[Finding]:
        """Tokens/s without beams, of one person and of many."""
        return (found for found in self.findings if found.unit == "tokens/s" and found.beams == 1 and found.values)
