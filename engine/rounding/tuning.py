"""Tunes a rounded model as a whole: with its codes frozen, scales and norms learn until its words are as likely as the whole model's.

The second stage of EfficientQAT (Chen et al. 2024, arXiv 2407.11062) with the loss of distillation (Hinton et al. 2015): the divergence
KL(p ‖ q) of the tuned model's next-token distribution q from the whole model's p, at every token of the calibration text. Adam (Kingma
and Ba 2015), its step falling as half a cosine. What that takes is in `engine.rounding.tuning_memory`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn.functional import kl_div, linear, log_softmax

from engine.rounding.student import Student

EPOCHS = 2
RATE = 2e-3  # of relative change a step, at most and at first
DECAYS = (0.9, 0.95)  # of Adam's moments: there are a hundred steps, not a million
SEED = 0

Report = Callable[[int, int], None]
"""Told the steps that are done, and how many there will be."""


def tune(student: Student, embedded: Tensor, taught: Tensor, rotation: tuple[Tensor, Tensor], head: Tensor, report: Report) -> None:
    """Trains the student's changes. `embedded` and `taught` [rows, new, width]: what it reads, and what the whole model gives its head.

    One row is a step. Deterministic on one device with one number of threads.
    """
    changes = [module.change for _, module in student.learning()]
    adam = torch.optim.Adam(changes, lr=RATE, betas=DECAYS, eps=1e-12)
    order = list(rows_in_order(len(embedded)))
    for step, row in enumerate(order):
        adam.param_groups[0]["lr"] = RATE * (1 + math.cos(math.pi * step / len(order))) / 2
        device = rotation[0].device
        loss = divergence(student(embedded[row][None].to(device), rotation)[0], taught[row].to(device), head)
        loss.backward()
        if all(change.grad is None or change.grad.isfinite().all() for change in changes):  # fp16 can overflow on the way
            adam.step()
        adam.zero_grad()
        report(step + 1, len(order))


def rows_in_order(rows: int) -> Iterator[int]:
    """Every row once an epoch, each time in another order."""
    generator = torch.Generator().manual_seed(SEED)
    for _ in range(EPOCHS):
        yield from torch.randperm(rows, generator=generator).tolist()


def divergence(hidden: Tensor, taught: Tensor, head: Tensor) -> Tensor:
    """The head's inputs [tokens, width] of both models → KL(p ‖ q) in nats, summed over tokens: small gradients would vanish in fp16."""
    p, q = (log_softmax(linear(x, head).float(), dim=-1) for x in (taught, hidden))
    return kl_div(q, p, log_target=True, reduction="sum")
