"""What a bench found: a table for people, JSON for programs."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from rich.table import Table

from engine.bench.machine import Machine


class Figures(BaseModel):
    """One contender: medians over all rounds. `times_reference` is the median of the rounds' own ratios."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    tokens_per_second: float
    slowest: float
    fastest: float
    times_reference: float
    new_picture_seconds: float
    follow_up_seconds: float
    memory_bytes: int | None


class Report(BaseModel):
    """One run. `same_answers` counts the rounds in which our exact engine wrote what the reference wrote."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    machine: Machine
    rounds: int
    tokens: int
    reference: str
    same_answers: int
    contenders: tuple[Figures, ...]


def table(report: Report) -> Table:
    shown = Table("one stream", "tokens/s", "range", "times", "picture", "follow-up", "memory", box=None)
    for column in shown.columns:
        column.no_wrap = True
    for found in report.contenders:
        shown.add_row(
            found.name,
            f"{found.tokens_per_second:.1f}",
            f"{found.slowest:.0f} … {found.fastest:.0f}",
            f"{found.times_reference:.2f} ×",
            f"{found.new_picture_seconds:.2f} s",
            f"{found.follow_up_seconds:.2f} s",
            "unknown" if found.memory_bytes is None else f"{found.memory_bytes / 1e6:,.0f} MB",
        )
    return shown


def heading(report: Report) -> str:
    """Model, machine, and how it was measured."""
    machine = report.machine
    place = f"{machine.processor}, {machine.threads} threads on {machine.cores} cores, {machine.system}, torch {machine.torch}"
    return (
        f"{report.model} on {place}\n"
        f"medians of {report.rounds} rounds, {report.tokens} tokens each; `picture`, `follow-up`: until the first token"
    )


def remarks(report: Report) -> list[str]:
    """What belongs beside the figures."""
    said = [f"In {report.same_answers} of {report.rounds} rounds our fp32 engine wrote exactly what {report.reference} wrote."]
    if report.machine.is_busy:
        said.append(
            f"The machine was busy (load {report.machine.load:.1f}): the figures are too low; ratios suffer less, as all took turns."
        )
    return said
