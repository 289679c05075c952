"""Runs a whole bench, from a model to a report."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby

import torch

from engine.bench.compete import WARM_UP, findings
from engine.bench.contender import Contender, Enter, UnableError
from engine.bench.machine import this_machine
from engine.bench.models import Open
from engine.bench.report import Finding, Report
from engine.bench.roofline import Roofline, copy_bandwidth, roofline
from engine.bench.scenarios import OnePerson, Scenario
from engine.bench.workload import opening, prompt_tokens
from engine.device.devices import held_bytes
from engine.layers.modes import Quantization
from engine.models.base import VisionLanguageModel


@dataclass(frozen=True)
class ContenderChoice:
    """A contender and the quantisation of its model. Answers of our `exact` one are compared with those of the `reference`.

    A `guest` always shares the model of the choice before it.
    """

    enter: Enter
    mode: Quantization
    exact: bool = False
    reference: bool = False
    guest: bool = False


@dataclass
class Bench:
    """One run. On a CPU each contender has a model of its own and all take turns, because other load on the machine comes and goes.

    On a GPU they run one after another, and those of one mode share a model, because the card has no room for all.
    """

    open: Open
    device: torch.device
    scenarios: Sequence[Scenario]
    rounds: int
    tokens: int
    progress: Callable[[str], None] = lambda doing: None
    names: dict[ContenderChoice, str] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)

    def run(self, contender_choices: Sequence[ContenderChoice]) -> Iterator[Report]:
        """Yields the report so far each time a contender has finished all scenarios; the last one is complete."""
        machine, bandwidth = this_machine(self.device), copy_bandwidth(self.device)
        found: list[Finding] = []
        prompt = 0
        for contenders in self.sessions(contender_choices):
            name = contenders[0].model.card.name
            prompt = prompt or prompt_tokens(contenders[0].model, opening(WARM_UP))
            rooflines = {contender.name: roofline(contender.model.language_model, bandwidth) for contender in contenders}
            found += self.findings(contenders, rooflines, prompt)
            yield Report(
                model=name,
                machine=machine,
                rounds=self.rounds,
                tokens=self.tokens,
                prompt_tokens=prompt,
                bandwidth=bandwidth,
                reference=next((name for choice, name in self.names.items() if choice.reference), ""),
                same_answers=self.same_answers(),
                memory=self.memory,
                findings=tuple(found),
            )

    def findings(self, contenders: Sequence[Contender], rooflines: dict[str, Roofline], prompt: int) -> Iterator[Finding]:
        for scenario in self.scenarios:
            self.progress(f"{', '.join(contender.name for contender in contenders)}: {scenario.rows[0].name}")
            yield from findings(scenario, contenders, self.rounds, rooflines, prompt + self.tokens / 2)

    def sessions(self, contender_choices: Sequence[ContenderChoice]) -> Iterator[list[Contender]]:
        """Yields the contenders that run together, loaded; they are freed before the next ones are loaded."""
        if self.device.type == "cpu":
            ready: list[Contender] = []
            for choice in contender_choices:
                ready.append(self.enter(choice, ready[-1].model if choice.guest else None))
            yield from self.session(ready)
            return
        for _, sharing in groupby(contender_choices, key=lambda choice: choice.mode):
            yield from self.sharing(list(sharing))

    def sharing(self, contender_choices: Sequence[ContenderChoice]) -> Iterator[list[Contender]]:
        """Contenders one after another, all on the model of the first."""
        first = self.enter(contender_choices[0], None)
        model, ready = first.model, [first]
        del first
        yield from self.session(ready)
        for choice in contender_choices[1:]:
            yield from self.session([self.enter(choice, model)])

    def session(self, contenders: list[Contender]) -> Iterator[list[Contender]]:
        yield contenders
        for contender in contenders:
            contender.close()
        contenders.clear()  # so that a caller who still has the list keeps no model alive
        self.clean_up()

    def enter(self, choice: ContenderChoice, model: VisionLanguageModel | None) -> Contender:
        """Warms a contender up, and records its memory if it has a model of its own."""
        self.progress(f"getting ready, {choice.mode}")
        self.clean_up()
        before = held_bytes(self.device)
        contender = choice.enter(model or self.open(choice.mode))
        self.names[choice] = contender.name
        with suppress(UnableError):
            contender.answer(opening(WARM_UP), self.tokens)
        self.clean_up()
        if model is None:
            self.memory[contender.name] = held_bytes(self.device) - before
        return contender

    def clean_up(self) -> None:
        gc.collect()
        torch.cuda.empty_cache()  # does nothing without CUDA

    def same_answers(self) -> tuple[int, int]:
        """(equal, all): how many answers our exact engine and the reference share."""
        texts = next((scenario.texts for scenario in self.scenarios if isinstance(scenario, OnePerson)), {})
        sides = [texts.get(name, []) for choice, name in self.names.items() if choice.exact or choice.reference]
        if len(sides) != 2:
            return 0, 0
        pairs = list(zip(*sides, strict=False))  # a peer may have failed midway
        return sum(one == other for one, other in pairs), len(pairs)
