"""The whole bench, from a ready folder to a report."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.bench.contenders import OurEngine, Transformers
from engine.bench.machine import this_machine
from engine.bench.measure import compete, enter, figures, same_answers
from engine.bench.report import Report
from engine.models.base import VisionLanguageModel
from engine.models.card import Quantization

EXACT: Quantization = "none"


def run(
    load_model: Callable[[Quantization], VisionLanguageModel],
    modes: Sequence[Quantization],
    rounds: int,
    tokens: int,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Our engine in `modes` and in fp32, beside transformers. `load_model` gives fp32 for mode "none".

    `progress` is told, after each conversation, how many there will be.
    """
    machine = this_machine()
    ours = [enter(OurEngine, load_model, mode, tokens) for mode in (*modes, EXACT)]
    theirs = enter(Transformers, load_model, EXACT, tokens)
    entries = (*ours, theirs)
    held = compete([entry.contender for entry in entries], rounds, tokens, lambda: progress(rounds * len(entries)))
    reference = theirs.contender.name
    return Report(
        model=theirs.contender.model.card.name,
        machine=machine,
        rounds=rounds,
        tokens=tokens,
        reference=reference,
        same_answers=same_answers(held[ours[-1].contender.name], held[reference]),
        contenders=tuple(figures(entry, held, reference) for entry in entries),
    )
