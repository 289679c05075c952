"""The tokens a second that memory bandwidth allows: a decode step reads every weight once, and each row's keys and values.

    tokens/s ≤ rows · bandwidth / (weights + rows · kept tokens · bytes a token)

The bandwidth is measured in the same run, as bytes read and written by a copy on the device; it is no data sheet's.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

import torch

from engine.layers.int4_cpu import PackedLinear
from engine.models.llama.llama import Llama

COPIED = {"cuda": 1 << 30, "cpu": 1 << 28}  # bytes: far beyond every cache
COPIES = 5
ROUNDS = 5


@dataclass(frozen=True)
class Roofline:
    """`weights` in bytes a step, `token` in bytes of keys and values a token, `bandwidth` in bytes a second."""

    bandwidth: float
    weights: int
    token: int

    def steps_per_second(self, rows: int, kept: float) -> float:
        """The most decode steps a second with `kept` tokens in the cache of each row."""
        return self.bandwidth / (self.weights + rows * kept * self.token)


def roofline(language: Llama, bandwidth: float) -> Roofline:
    config = language.config
    token = 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim * language.dtype.itemsize
    return Roofline(bandwidth, step_bytes(language), token)


def step_bytes(language: Llama) -> int:
    """Bytes of the weights that a decode step reads: all but the embedding table, of which it reads a row for each token."""
    read = 0
    for module in language.modules():
        if module is language.model.embed_tokens:
            continue
        if isinstance(module, PackedLinear):
            read += module.packed_bytes
            continue
        read += sum(tensor.nbytes for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)))
    return read


def copy_bandwidth(device: torch.device) -> float:
    """Bytes read and written a second while the device copies within its memory."""
    source = torch.randint(256, (COPIED[device.type],), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    target.copy_(source)
    return 2 * COPIES * source.nbytes / median(seconds(source, target) for _ in range(ROUNDS))


def seconds(source: torch.Tensor, target: torch.Tensor) -> float:
    wait_for(source.device)
    begun = time.perf_counter()
    for _ in range(COPIES):
        target.copy_(source)
    wait_for(source.device)
    return time.perf_counter() - begun


def wait_for(device: torch.device) -> None:
    """Returns when the device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
