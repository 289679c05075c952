"""Captures a module's forward pass as CUDA graphs, one for each of a few batch sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from engine.device.cuda_graphs import capture, capture_largest_first


class CapturedModule:
    """Calls `module` on batches [n, …] of any size: cut to the largest captured size, padded to the next."""

    def __init__(self, module: nn.Module, example: Tensor, sizes: Sequence[int]) -> None:
        """`example` [1, …] has the shape, type and device of one input."""
        shape = example.shape[1:]
        self.graphs = capture_largest_first(
            sizes, lambda size, pool: CapturedBatch(module, example.expand(size, *shape), pool), weight=lambda size: size
        )

    def __call__(self, inputs: Tensor) -> Tensor:
        return torch.cat([self.replay(batch) for batch in inputs.split(max(self.graphs))])

    def replay(self, batch: Tensor) -> Tensor:
        return self.graphs[min(size for size in self.graphs if size >= len(batch))].replay(batch)


class CapturedBatch:
    """The graph of one batch size."""

    def __init__(self, module: nn.Module, inputs: Tensor, pool: Any) -> None:
        self.inputs = inputs.clone()  # real memory, also where the example was expanded
        self.graph, self.output = capture(lambda: run(module, self.inputs), inputs.device, pool)

    @property
    def pool(self) -> Any:
        return self.graph.pool()

    def replay(self, batch: Tensor) -> Tensor:
        """`batch` [≤ size, …]; the result is the caller's."""
        self.inputs[: len(batch)].copy_(batch, non_blocking=True)
        self.graph.replay()
        return self.output[: len(batch)].clone()


def run(module: nn.Module, inputs: Tensor) -> Tensor:
    output: Tensor = module(inputs)
    return output
