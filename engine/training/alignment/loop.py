"""Trains: step by step, over as many processes as accelerate started, with a checkpoint now and then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from engine.training.alignment.batches import Batch, Order
from engine.training.alignment.checkpoint import Checkpoint, RunState, weights_of
from engine.training.alignment.objective import summed_loss
from engine.training.alignment.parts import TrainedModel
from engine.training.alignment.recipe import RunSettings
from engine.training.alignment.rows import RowSource, Split

READ_STEPS = 10  # steps whose losses are read together: reading one waits for the device


class Watcher(Protocol):
    """Is told how a run goes on, in the first process only."""

    def begins(self, state: RunState) -> None:
        """Before the first step, with what an earlier run left."""
        ...

    def stepped(self, state: RunState) -> None:
        """After every few steps."""
        ...

    def evaluated(self, state: RunState) -> None:
        """After the held-out rows were measured; may add answers to the state."""
        ...


@dataclass
class Trainer:
    """One run. `every` are the steps between checkpoints, and between measurements of the held-out rows; `micro` the most rows that a
    device computes at once."""

    trained: TrainedModel
    split: Split
    source: RowSource
    settings: RunSettings
    checkpoint: Checkpoint
    accelerator: Accelerator
    watcher: Watcher
    save_every: int = 100
    evaluate_every: int = 100
    micro: int | None = None
    pending: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.modules = self.trained.modules
        self.parameters = [parameter for parameter in self.modules.parameters() if parameter.requires_grad]
        self.optimizer = self.accelerator.prepare_optimizer(
            torch.optim.AdamW(parameter_groups(self.modules, self.settings.weight_decay), self.settings.rate, betas=(0.9, 0.999))
        )
        self.order = Order(len(self.split.trained), self.settings.batch, self.settings.seed)

    def run(self, stopped: Callable[[], bool] = lambda: False) -> RunState:
        """Trains to the last step, or until `stopped`, from the checkpoint if there is one. What is best so far is in the state."""
        state = self.checkpoint.load(self.modules, self.optimizer, self.accelerator.scaler)
        if self.accelerator.is_main_process:
            self.watcher.begins(state)
        if state.step == 0:
            self.evaluate(state)
        while state.step + len(self.pending) < self.settings.steps:
            step = state.step + len(self.pending)
            self.pending.append(self.step(step))
            done, ends = step + 1, self.any_process(stopped())
            evaluates = done % self.evaluate_every == 0 or done == self.settings.steps or ends  # what was learned last may be the best
            saves = done % self.save_every == 0 or evaluates
            if len(self.pending) >= READ_STEPS or saves:
                self.read_losses(state)
            if evaluates:
                self.evaluate(state)
            if saves:
                self.save(state)
            if ends:
                break
        return state

    def step(self, step: int) -> Tensor:
        """One optimiser step on a batch over all processes; returns its loss, summed over the processes, on the device."""
        torch.manual_seed(self.settings.seed * 1_000_003 + step)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.rate_at(step)
        batches = self.batches(self.order.step(step))
        count = self.summed(torch.tensor(float(sum(len(batch.targets) for batch in batches)), device=self.device)).clamp(min=1)
        loss = torch.zeros((), device=self.device)
        for batch in batches:
            with self.accelerator.autocast():
                part = summed_loss(self.trained, batch) / count
            self.accelerator.backward(part)
            loss += part.detach()
        self.share_gradients()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return self.summed(loss)

    def batches(self, rows: Sequence[int]) -> list[Batch]:
        """What this process computes of the rows of a step."""
        examples = [self.split.trained[row] for row in rows][self.accelerator.process_index :: self.accelerator.num_processes]
        size = self.micro or len(examples)
        made = (self.source.batch(examples[at : at + size]) for at in range(0, len(examples), size or 1))
        return [batch for batch in made if batch is not None]

    def share_gradients(self) -> None:
        """Sums gradients over the processes: each has divided its losses by the tokens of all."""
        if self.accelerator.num_processes > 1:
            for parameter in self.parameters:
                gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                parameter.grad = self.summed(gradient)

    @torch.no_grad()
    def evaluate(self, state: RunState) -> None:
        """The mean loss of a held-out token; the weights are kept if it is the least so far."""
        examples = self.split.held_out[self.accelerator.process_index :: self.accelerator.num_processes]
        size = self.micro or self.settings.batch
        found = torch.zeros(2, device=self.device)
        for at in range(0, len(examples), size):
            batch = self.source.batch(examples[at : at + size])
            if batch is not None:
                with self.accelerator.autocast():
                    found += torch.stack((summed_loss(self.trained, batch), torch.tensor(float(len(batch.targets)), device=self.device)))
        total, count = self.summed(found).tolist()
        if count:
            state.held_out[state.step] = total / count
        if not count or state.held_out[state.step] <= min(state.held_out.values()):
            state.best, state.best_step = weights_of(self.modules), state.step
        if self.accelerator.is_main_process:
            self.watcher.evaluated(state)

    def read_losses(self, state: RunState) -> None:
        state.losses += torch.stack(self.pending).tolist()
        self.pending.clear()
        if self.accelerator.is_main_process:
            self.watcher.stepped(state)

    def save(self, state: RunState) -> None:
        if self.accelerator.is_main_process:
            self.checkpoint.save(state, self.modules, self.optimizer, self.accelerator.scaler)
        self.accelerator.wait_for_everyone()

    def any_process(self, flag: bool) -> bool:
        if self.accelerator.num_processes == 1:
            return flag
        return bool(self.summed(torch.tensor(float(flag), device=self.device)))

    def summed(self, tensor: Tensor) -> Tensor:
        if self.accelerator.num_processes == 1:
            return tensor
        found: Tensor = self.accelerator.reduce(tensor, "sum")
        return found

    @property
    def device(self) -> torch.device:
        return self.source.device


def parameter_groups(modules: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """As the release: biases and norms do not decay."""
    trained = [parameter for parameter in modules.parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in trained if parameter.ndim >= 2], "weight_decay": weight_decay},
        {"params": [parameter for parameter in trained if parameter.ndim < 2], "weight_decay": 0.0},
    ]
