"""A module's forward pass as CUDA graphs: hundreds of small kernels are started as one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class CapturedModule:
    """`module` over batches [n, …] of any size, in graphs of the sizes that were captured."""

    def __init__(self, module: nn.Module, example: Tensor, sizes: Sequence[int]) -> None:
        """`example` [1, …] has the shape, type and device of one input."""
        with torch.inference_mode():
            batches = [CapturedBatch(module, example.expand(size, *example.shape[1:])) for size in sorted(sizes, reverse=True)]
        self.graphs = dict(zip(sorted(sizes, reverse=True), batches, strict=True))

    def __call__(self, inputs: Tensor) -> Tensor:
        return torch.cat([self.replay(batch) for batch in inputs.split(max(self.graphs))])

    def replay(self, batch: Tensor) -> Tensor:
        return self.graphs[min(size for size in self.graphs if size >= len(batch))].replay(batch)


class CapturedBatch:
    """One size of batch."""

    def __init__(self, module: nn.Module, inputs: Tensor) -> None:
        self.inputs = inputs.clone()  # real memory, also where the example was expanded
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            module(self.inputs)  # workspaces are made outside the graph
        torch.cuda.current_stream().wait_stream(aside)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):
            self.output: Tensor = module(self.inputs)

    def replay(self, batch: Tensor) -> Tensor:
        """`batch` [≤ size, …]; the result is the caller's."""
        self.inputs[: len(batch)].copy_(batch, non_blocking=True)
        self.graph.replay()
        return self.output[: len(batch)].clone()
