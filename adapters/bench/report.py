"""What a run came to: percentiles of what the bot added, its start and memory, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import quantiles

from pydantic import BaseModel
from rich.table import Table

from adapters.bench.measure import Load, Run
from adapters.bench.protocol import Heard

PERCENTILES = (50, 95, 99)
MILLISECONDS = 1_000
ROWS = {
    "overheard": "people's talk, until it is dealt with",
    "stored": "a question, until it is stored for good",
    "asked": "a question, until the engine has it",
    "shown": "first words, until the platform is told",
    "question": "added to a question: the last two",
    "message": "added to any message, talk or question",
}


class Spread(BaseModel):
    """Milliseconds."""

    p50: float
    p95: float
    p99: float
    most: float


class Report(BaseModel):
    """`lost`: questions without the engine's answer, whole. Memory in MB, resident; None where the system does not tell."""

    load: Load
    start_seconds: float
    memory_at_rest: float | None
    memory_at_most: float | None
    messages: int
    questions: int
    lost: int
    milliseconds: dict[str, Spread]


def report(load: Load, run: Run) -> Report:
    heard = [each for each in run.seen.heard if each.at >= run.counted_from]
    return Report(
        load=load,
        start_seconds=run.start_seconds,
        memory_at_rest=run.ready.memory and run.ready.memory.now,
        memory_at_most=run.seen.memory and run.seen.memory.most,
        messages=len(heard),
        questions=sum(each.asks for each in heard),
        lost=sum(each.asks and None in (each.shown, each.ended) for each in heard),
        milliseconds={name: spread(values) for name, values in waits(heard).items() if values},
    )


def waits(heard: Iterable[Heard]) -> dict[str, list[float]]:
    """Seconds, by what was waited for."""
    found: dict[str, list[float]] = {name: [] for name in ROWS}
    for each in heard:
        if each.taken is not None:
            found["stored" if each.asks else "overheard"].append(each.taken - each.at)
        if each.received is not None and each.answered is not None and each.shown is not None:
            found["asked"].append(each.received - each.at)
            found["shown"].append(each.shown - each.answered)
            found["question"].append(found["asked"][-1] + found["shown"][-1])
    found["message"] = found["overheard"] + found["question"]
    return found


def spread(seconds: list[float]) -> Spread:
    p50, p95, p99 = (each * MILLISECONDS for each in percentiles(seconds))
    return Spread(p50=p50, p95=p95, p99=p99, most=max(seconds) * MILLISECONDS)


def percentiles(values: Iterable[float]) -> tuple[float, ...]:
    """The `PERCENTILES` of the values, in their unit."""
    found = list(values)
    if not found:
        return tuple(float("nan") for _ in PERCENTILES)
    cuts = quantiles(found, n=100, method="inclusive") if len(found) > 1 else found * 99
    return tuple(cuts[each - 1] for each in PERCENTILES)


def table(found: Report) -> Table:
    grid = Table("milliseconds", *(f"p{each}" for each in PERCENTILES), "most", box=None)
    for column in grid.columns[1:]:
        column.justify = "right"
    for name, each in found.milliseconds.items():
        grid.add_row(ROWS[name], *(f"{value:.1f}" for value in (each.p50, each.p95, each.p99, each.most)))
    return grid


def heading(found: Report) -> str:
    memory = "unknown here"
    if found.memory_at_rest is not None:
        memory = f"{found.memory_at_rest:.0f} MB at rest, {found.memory_at_most:.0f} at most"
    return (
        f"The bot took its first message {found.start_seconds:.2f} s after its start; memory: {memory}.\n"
        f"{found.load.rate:g} messages a second for {found.load.seconds:g} s, {found.messages} in all: "
        f"{found.questions} asked the bot, {found.lost} of them got no answer."
    )
