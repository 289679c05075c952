"""The whole bench, from a ready folder to a report."""

from __future__ import annotations

from collections.abc import Callable

from engine.bench.contenders import OurEngine, Transformers
from engine.bench.machine import this_machine
from engine.bench.measure import compete, enter, figures, same_answers
from engine.bench.report import Report
from engine.models.base import VisionLanguageModel

CONTENDERS = 3


def run(load_model: Callable[[bool], VisionLanguageModel], rounds: int, tokens: int, progress: Callable[[], None] = lambda: None) -> Report:
    """`load_model` gives the model as users get it, or the exact one (True). `progress` is told of each of the conversations."""
    machine = this_machine()
    usual = enter(lambda: OurEngine(load_model(False)), tokens)
    exact = enter(lambda: OurEngine(load_model(True)), tokens)
    theirs = enter(lambda: Transformers(load_model(True)), tokens)
    held = compete([entry.contender for entry in (usual, exact, theirs)], rounds, tokens, progress)
    reference = theirs.contender.name
    return Report(
        model=usual.contender.model.card.name,
        machine=machine,
        rounds=rounds,
        tokens=tokens,
        reference=reference,
        same_answers=same_answers(held[exact.contender.name], held[reference]),
        contenders=tuple(figures(entry, held, reference) for entry in (usual, exact, theirs)),
    )
