"""The results of a bench run, as JSON; `engine.bench.table` shows them to people."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from pydantic import BaseModel, ConfigDict

from engine.bench.machine import Machine
from engine.bench.scenarios import Unit


class Finding(BaseModel):
    """One contender in one row of the table: a value for each round, or why there is none. `limit` is the roofline in the same unit."""

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
        """The median over rounds; only for findings that have values."""
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
    reference: str  # the contender that the others are compared with
    same_answers: tuple[int, int]  # (equal, all): how many answers of our unquantised engine the reference gave too
    memory: dict[str, int]  # bytes that each contender took by the end of its warm-up
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
        """How many times as fast as the reference: the median of each round's ratio, which other load distorts less."""
        other = self.found(found.row, self.reference)
        if other is None or found.contender == self.reference or not (found.values and other.values):
            return None
        return median(ours / theirs for ours, theirs in zip(found.values, other.values, strict=True))

    def rates(self) -> Iterator[Finding]:
        """The findings in tokens/s without beam search, for one stream and for many."""
        return (found for found in self.findings if found.unit == "tokens/s" and found.beams == 1 and found.values)
