"""Modules that wait for their weights are made without memory and without values."""

from __future__ import annotations

import torch
from torch import nn

from engine.device.meta import allocate, without_memory


def test_modules_are_made_without_memory() -> None:
    with without_memory():
        made = nn.Sequential(nn.Linear(3, 4), nn.Embedding(5, 6), nn.LayerNorm(4))
    assert all(parameter.is_meta for parameter in made.parameters())
    assert nn.Linear(2, 2).weight.device == torch.device("cpu"), "only inside"


def test_memory_is_given_in_the_parameters_own_types() -> None:
    with without_memory():
        made = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    made.half()
    made[0].bias.requires_grad_(False)
    allocate(made, torch.device("cpu"))
    facts = {name: (tuple(each.shape), each.dtype, each.device.type, each.requires_grad) for name, each in made.named_parameters()}
    assert facts["0.weight"] == ((4, 3), torch.float16, "cpu", True)
    assert facts["0.bias"] == ((4,), torch.float16, "cpu", False)
    assert {name: (buffer.dtype, buffer.device.type) for name, buffer in made.named_buffers()} == {
        "1.running_mean": (torch.float16, "cpu"),
        "1.running_var": (torch.float16, "cpu"),
        "1.num_batches_tracked": (torch.int64, "cpu"),
    }
