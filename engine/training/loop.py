"""Runs one training stage: seeded, logged, and resumable to the same losses."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from engine.atomic_write import replacing

WARM_UP = 0.05  # of all steps
LOG_STEPS = 10
MAX_NORM = 1.0


class TrainingStage(Protocol):
    """What a stage trains, and on which data. `loss(step)` depends only on the weights and the step."""

    name: str

    def trained(self) -> nn.Module: ...
    def loss(self, step: int) -> tuple[Tensor, dict[str, float]]: ...


@dataclass(frozen=True)
class Schedule:
    """`steps` optimiser steps up to the learning rate `rate` and down again by a cosine; a checkpoint every `save_steps`."""

    steps: int
    rate: float
    seed: int
    save_steps: int = 500
    stop_after: int | None = None  # a test of resuming stops here, as if killed after this step


def train(stage: TrainingStage, schedule: Schedule, folder: Path, accelerator: Accelerator, say: Callable[[str], None]) -> list[float]:
    """Runs the stage, from its checkpoint in `folder` if there is one, and returns the loss of every step."""
    module = stage.trained()
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimizer = accelerator.prepare(torch.optim.AdamW(parameters, schedule.rate, betas=(0.9, 0.98), weight_decay=0.02))
    checkpoint = folder / f"{stage.name}.pt"
    losses = _resume(checkpoint, module, optimizer)
    began = time.monotonic()
    for step in range(len(losses), schedule.steps):
        losses.append(_step(stage, schedule, step, parameters, optimizer, accelerator, say if step % LOG_STEPS == 0 else None))
        done = step + 1
        if done % schedule.save_steps == 0 or done == schedule.steps or done == schedule.stop_after:
            _save(checkpoint, module, optimizer, losses)
        if done == schedule.stop_after:
            break
    say(f"{stage.name}: {len(losses)} steps, {time.monotonic() - began:.0f} s")
    (folder / f"{stage.name}.json").write_text(json.dumps([round(loss, 4) for loss in losses]))
    return losses


def _step(
    stage: TrainingStage, schedule: Schedule, step: int, parameters: Sequence[nn.Parameter], optimizer: torch.optim.Optimizer,
    accelerator: Accelerator, say: Callable[[str], None] | None,
) -> float:  # fmt: skip
    torch.manual_seed(schedule.seed * 1_000_003 + step)  # dropout is then the same after a resume
    for group in optimizer.param_groups:
        group["lr"] = schedule.rate * _share(step, schedule.steps)
    with accelerator.autocast():
        loss, parts = stage.loss(step)
    accelerator.backward(loss)
    clip_grad_norm_(parameters, MAX_NORM)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    value = float(loss.detach())
    if say is not None:
        say(f"{stage.name} {step}/{schedule.steps} loss {value:.3f} " + " ".join(f"{key} {part:.3f}" for key, part in parts.items()))
    return value


def _share(step: int, steps: int) -> float:
    warm = max(1, round(steps * WARM_UP))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def _save(path: Path, module: nn.Module, optimizer: torch.optim.Optimizer, losses: list[float]) -> None:
    # By the names of the state, which a module may store under others than its parameters have.
    weights = {name: value.detach() for name, value in module.state_dict(keep_vars=True).items() if value.requires_grad}
    with replacing(path) as part:
        torch.save({"weights": weights, "optimizer": optimizer.state_dict(), "losses": losses}, part)


def _resume(path: Path, module: nn.Module, optimizer: torch.optim.Optimizer) -> list[float]:
    if not path.is_file():
        return []
    state = torch.load(path, weights_only=True)
    module.load_state_dict(state["weights"], strict=False)
    optimizer.load_state_dict(state["optimizer"])
    losses: list[float] = state["losses"]
    return losses
