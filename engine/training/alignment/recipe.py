"""The release's two stages as settings, and its learning rate: up in a line, then down by half a cosine."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from engine.training.alignment.parts import AdapterOptions, PartName
from engine.training.alignment.templates import Stage

Precision = Literal["fp32", "bf16", "fp16"]
WARM_UP_RATE = 1e-6
ADAPTER_RATE = 2e-4  # what adapters are usually trained with; ten times less at the end


@dataclass(frozen=True)
class Defaults:
    """A stage of the release: learning rates, steps, pairs a step over all cards, the share of steps that warm up, tokens of text."""

    rate: float
    last_rate: float
    steps: int
    batch: int
    warm_up: float
    longest: int


# Stage 2 as in the paper (400 steps); its configuration file would allow 1,000.
DEFAULTS: dict[Stage, Defaults] = {1: Defaults(1e-4, 8e-5, 20_000, 256, 0.25, 160), 2: Defaults(3e-5, 1e-5, 400, 12, 0.2, 160)}


@dataclass(frozen=True)
class RunSettings:
    """All that decides the numbers of a run; a run that goes on must have the same."""

    base: str
    stage: Stage
    parts: tuple[PartName, ...]
    steps: int
    batch: int
    rate: float
    last_rate: float
    warm_up: int  # steps
    longest: int  # tokens of answers a row
    seed: int
    precision: Precision
    held_out: float = 0.05  # share of the rows
    weight_decay: float = 0.05
    adapter: AdapterOptions = field(default_factory=AdapterOptions)

    def rate_at(self, step: int) -> float:
        """The release's: its cosine counts from the first step, warm-up included."""
        if step < self.warm_up:
            return min(self.rate, WARM_UP_RATE + (self.rate - WARM_UP_RATE) * step / self.warm_up)
        return self.last_rate + (self.rate - self.last_rate) * 0.5 * (1 + math.cos(math.pi * step / self.steps))


def settings_of(
    base: str,
    stage: Stage,
    parts: tuple[PartName, ...],
    precision: Precision,
    *,
    steps: int | None = None,
    batch: int | None = None,
    rate: float | None = None,
    warm_up: int | None = None,
    longest: int | None = None,
    seed: int = 42,
    held_out: float = 0.05,
    adapter: AdapterOptions | None = None,
) -> RunSettings:
    """The release's where nothing else is asked for. A rate by hand, or an adapter's, falls to a third, as the release's in stage 2."""
    own = DEFAULTS[stage]
    highest = rate or (ADAPTER_RATE if "lora" in parts else own.rate)
    total = steps or own.steps
    return RunSettings(
        base=base,
        stage=stage,
        parts=parts,
        steps=total,
        batch=batch or own.batch,
        rate=highest,
        last_rate=highest * own.last_rate / own.rate,
        warm_up=round(total * own.warm_up) if warm_up is None else warm_up,
        longest=longest or own.longest,
        seed=seed,
        precision=precision,
        held_out=held_out,
        adapter=adapter or AdapterOptions(),
    )
