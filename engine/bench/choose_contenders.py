"""Chooses the contenders and scenarios of a run from the command's options."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

import torch

from engine.bench.gander_contender import GanderContender
from engine.bench.picture_contenders import batching_contender, compiled_contender, generate_contender
from engine.bench.run import ContenderChoice
from engine.bench.scenarios import PEOPLE, BeamScenario, Crowd, EncodeScenario, ManyTurns, OnePerson, Scenario
from engine.device.devices import held_bytes
from engine.layers.modes import Quantization

EYEFULS = (1, 8)


def scenarios(
    names: Collection[str], crowds: Sequence[int], beams: int, turns: int, tokens: int, device: torch.device
) -> tuple[Scenario, ...]:
    """The scenarios of a run, in the order of the table."""
    known: dict[str, list[Scenario]] = {
        "one": [OnePerson(tokens)],
        "streams": [Crowd(people, tokens) for people in crowds],
        "beams": [BeamScenario(beams, tokens)],
        "encode": [EncodeScenario(pictures) for pictures in EYEFULS],
        "turns": [ManyTurns(turns, partial(held_bytes, device))],
    }
    return tuple(scenario for name, those in known.items() if name in names for scenario in those)


def contender_choices(
    modes: Sequence[Quantization], rows: int, tokens: int, capability: tuple[int, int] | None = None
) -> list[ContenderChoice]:
    """Our engine in each mode, with room for `rows` answers of `tokens` tokens; the peers beside the unquantised one."""
    ours = partial(GanderContender, rows=rows, tokens=tokens, capability=capability)
    line: list[ContenderChoice] = []
    for mode in modes:
        line.append(ContenderChoice(ours, mode, exact=mode == "none"))
        if mode == "none":
            line += [ContenderChoice(generate_contender, mode, reference=True), ContenderChoice(compiled_contender, mode, guest=True)]
            line.append(ContenderChoice(batching_contender, mode, guest=True))
    return line


def rows_needed(names: Collection[str], crowds: Sequence[int], beams: int) -> int:
    return max(1, *(crowds if "streams" in names else ()), beams if "beams" in names else 1, PEOPLE if "turns" in names else 1)
