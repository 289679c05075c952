"""Runs the contenders against each other, so that whatever else the machine does falls on all of them alike."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from engine.bench.contenders import Contender
from engine.bench.machine import private_bytes
from engine.bench.report import Figures
from engine.bench.workload import Conversation, converse
from engine.models.base import VisionLanguageModel
from engine.models.card import Quantization

WARM_UP = 0  # the number of the picture that does not count


@dataclass(frozen=True)
class Entry:
    """A contender that is warm, and the memory that it took to get there."""

    contender: Contender
    memory: int | None


def enter(
    kind: Callable[[VisionLanguageModel], Contender],
    load_model: Callable[[Quantization], VisionLanguageModel],
    mode: Quantization,
    tokens: int,
) -> Entry:
    """Loads a model of its own for a contender and lets it answer once."""
    before = memory()
    contender = kind(load_model(mode))
    converse(contender, WARM_UP, tokens)
    after = memory()
    return Entry(contender, None if before is None or after is None else after - before)


def memory() -> int | None:
    gc.collect()
    return private_bytes()


def compete(
    contenders: Sequence[Contender], rounds: int, tokens: int, progress: Callable[[], None] = lambda: None
) -> dict[str, list[Conversation]]:
    """One conversation a round for each, by name: in turn, in every other round backwards. `progress` is told of each."""
    held: dict[str, list[Conversation]] = {contender.name: [] for contender in contenders}
    for number in range(WARM_UP + 1, WARM_UP + 1 + rounds):
        for contender in contenders if number % 2 else reversed(contenders):
            held[contender.name].append(converse(contender, number, tokens))
            progress()
    return held


def figures(entry: Entry, held: Mapping[str, Sequence[Conversation]], reference: str) -> Figures:
    """Medians over the rounds; `reference` is whom a contender is compared with, round by round."""
    talks = held[entry.contender.name]
    rates, others = ([talk.first.tokens_per_second for talk in held[name]] for name in (entry.contender.name, reference))
    return Figures(
        name=entry.contender.name,
        tokens_per_second=median(rates),
        slowest=min(rates),
        fastest=max(rates),
        times_reference=median(ours / theirs for ours, theirs in zip(rates, others, strict=True)),
        new_picture_seconds=median(talk.first.first for talk in talks),
        follow_up_seconds=median(talk.follow_up.first for talk in talks),
        memory_bytes=entry.memory,
    )


def same_answers(one: Sequence[Conversation], other: Sequence[Conversation]) -> int:
    """In how many rounds both wrote the same."""
    return sum(a.first.text == b.first.text for a, b in zip(one, other, strict=True))
