"""Measures how fast a stage of the release goes on a real shape with made-up pairs, and the share of a card's peak that it uses."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np
import torch
from accelerate import Accelerator
from PIL import Image

from engine.device.devices import held_bytes
from engine.layers.linear import Linear
from engine.models.base import VisionLanguageModel
from engine.models.llama.llama import Llama
from engine.training.alignment.batches import Batch, collate
from engine.training.alignment.dataset import Example, StoredPicture
from engine.training.alignment.features import Features
from engine.training.alignment.objective import summed_loss
from engine.training.alignment.parts import TrainedModel
from engine.training.alignment.templates import RowWriter, TrainingRow

Found = TypeVar("Found")
PEAK = 989e12  # FLOP/s of an H100 or H200 in bf16, without sparsity
FLOPS_A_PARAMETER = 4  # and token: a forward, and the gradient of its input; a frozen weight has none of its own
LOOKED_AT = 32  # pictures at once
SIDE = 300  # pixels of a made-up picture


@dataclass(frozen=True)
class TrainingSpeed:
    """Seconds for all pictures once, and for all steps; `step` is a step's median, `mfu` its share of `PEAK`, `memory` in bytes."""

    pictures: int
    looking: float
    steps: int
    training: float
    step: float
    tokens: int
    mfu: float
    memory: int
    first_loss: float
    last_loss: float

    def __str__(self) -> str:
        return (
            f"{self.pictures} pictures looked at in {self.looking:.1f} s ({self.pictures / self.looking:.0f}/s); {self.steps} steps of "
            f"{self.tokens} tokens in {self.training:.1f} s ({self.step * 1000:.0f} ms each, {self.mfu:.1%} of {PEAK / 1e12:.0f} TFLOP/s "
            f"in the language model): {self.looking + self.training:.1f} s in all. At most {self.memory / 1e9:.1f} GB. "
            f"Loss {self.first_loss:.3f} → {self.last_loss:.3f}."
        )


def measure_speed(trained: TrainedModel, accelerator: Accelerator, pictures: int, steps: int, batch: int, tokens: int) -> TrainingSpeed:
    """`batch` pairs a step, each with an answer of `tokens` tokens, in the release's second stage."""
    looking, features = timed(lambda: look(trained, pictures))
    optimizer = accelerator.prepare_optimizer(torch.optim.AdamW(trained.modules.parameters(), 3e-5))
    rows = [made_up_row(trained.model, feature, tokens, seed) for seed, feature in enumerate(features[: 4 * batch])]
    losses: list[torch.Tensor] = []
    times: list[float] = []

    def train() -> Batch:
        for step in range(steps):
            began = time.perf_counter()
            chosen = [(step * batch + at) % len(rows) for at in range(batch)]
            made = collate([rows[at] for at in chosen], [features[at] for at in chosen], trained.model.device)
            with accelerator.autocast():
                loss = summed_loss(trained, made) / len(made.targets)
            accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            losses.append(loss.detach())
            settle()
            times.append(time.perf_counter() - began)
        return made

    training, last = timed(train)
    step = median(times)
    flops = FLOPS_A_PARAMETER * frozen_parameters(trained.model.language_model) * last.tokens
    return TrainingSpeed(
        pictures,
        looking,
        steps,
        training,
        step,
        last.tokens,
        flops / step / PEAK,
        peak_memory(trained),
        float(losses[0]),
        float(losses[-1]),
    )


def look(trained: TrainedModel, pictures: int) -> list[Features]:
    """Made-up pictures, at once from the connector: their decoding is not counted."""
    rng = np.random.default_rng(0)
    noise = [Image.fromarray(rng.integers(0, 255, (SIDE, SIDE, 3), np.uint8)) for _ in range(min(pictures, LOOKED_AT))]
    found: list[Features] = []
    while len(found) < pictures:
        found += trained.connector.freeze(noise[: pictures - len(found)])
    return found


def made_up_row(model: VisionLanguageModel, features: Features, tokens: int, seed: int) -> TrainingRow:
    """A pair in the template, its answer replaced by random words."""
    rng = np.random.default_rng(seed)
    example = Example(seed, "made up", (StoredPicture(Path("none")),), (("Describe this image in detail.", "x"),))
    written = RowWriter(model, 2, tokens).write(example, [features])
    answer = tuple(int(token) for token in rng.integers(300, model.language_model.config.vocab_size, tokens))
    segments = written.segments[:-1]
    return TrainingRow((*segments, answer), (*([False] * sum(map(len, segments))), *([True] * tokens)))


def frozen_parameters(language: Llama) -> int:
    """Of the matrices that every token goes through, without the embedding, and without the head, which only answers go through."""
    return sum(module.width_in * module.width_out for module in language.model.modules() if isinstance(module, Linear))


def peak_memory(trained: TrainedModel) -> int:
    device = trained.model.device
    return torch.cuda.max_memory_reserved(device) if device.type == "cuda" else held_bytes(device)


def timed(work: Callable[[], Found]) -> tuple[float, Found]:
    settle()
    began = time.perf_counter()
    found = work()
    settle()
    return time.perf_counter() - began, found


def settle() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
