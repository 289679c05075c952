"""CUDA graphs: hundreds of small kernels launched as one, because launching each would take longer than running it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Protocol, TypeVar

import torch

Output = TypeVar("Output")
Size = TypeVar("Size")


class Captured(Protocol):
    """One graph or several, captured for inputs of one size."""

    @property
    def pool(self) -> Any:
        """The memory that its graphs use, to be handed to the next capture."""
        ...


Graphs = TypeVar("Graphs", bound=Captured)


def capture_largest_first(
    sizes: Iterable[Size], capture_one: Callable[[Size, Any], Graphs], weight: Callable[[Size], int], pool: Any = None
) -> dict[Size, Graphs]:
    """Captures one size after the other, by falling `weight`, so that the smaller ones fit into the memory of the largest.

    `capture_one(size, pool)` captures one of them into the memory `pool`, None for the first unless `pool` is given. As the graphs
    share memory, none may be replayed at the same time as another: see `capture`.
    """
    graphs: dict[Size, Graphs] = {}
    for size in sorted(sizes, key=weight, reverse=True):
        graphs[size] = capture_one(size, pool)
        pool = graphs[size].pool
    return graphs


@cache
def side_stream(device: torch.device) -> torch.cuda.Stream:
    """The stream for all warm-ups and captures on a device: cuBLAS keeps 32 MiB of workspace for every stream that it has seen."""
    return torch.cuda.Stream(device)


@torch.inference_mode()
def capture(work: Callable[[], Output], device: torch.device, pool: Any = None) -> tuple[torch.cuda.CUDAGraph, Output]:
    """Captures `work` as a graph; returns it and its output, which every replay overwrites. `pool` is another graph's memory, to share.

    Graphs that share memory must not be replayed at the same time; what one gave is to be read before another is replayed.
    """
    with torch.cuda.device(device):
        aside = side_stream(device)
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            work()  # kernels are compiled and chosen, and workspaces made, outside the graph
        torch.cuda.current_stream().wait_stream(aside)
        torch.cuda.synchronize()
        torch.cuda.empty_cache()  # what the trial took on a stream of its own would lie idle for ever
        graph = torch.cuda.CUDAGraph()
        # torch's own stream for captures would be of the device that captured first; other threads may go on meanwhile.
        with torch.cuda.graph(graph, pool=pool, stream=aside, capture_error_mode="thread_local"):
            output = work()
    return graph, output
