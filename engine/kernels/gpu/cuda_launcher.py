"""Compiles the kernels in CUDA's C++ for one device as they are asked for, and holds what their launches share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Protocol, Self

import torch

from engine.kernels.gpu.cuda_driver import Module
from engine.kernels.gpu.cuda_parameters import Structure

PROGRAMS = 1 << 16  # tiles, or heads of all rows, that a launch puts together from partial results


class Launchable(Protocol):
    def launch(self, call: Structure, grid: tuple[int, int, int], threads: int, shared: int = 0) -> None: ...


class CompiledSource(Protocol):
    """The kernels of one source file, by name."""

    def kernel(self, name: str) -> Launchable: ...


Compile = Callable[[str, Sequence[str]], CompiledSource]  # of a source and definitions


class CudaLauncher:
    """On one device; one thread at a time may use it, for `finished` belongs to the launch under way."""

    def __init__(self, device: torch.device, build: Compile) -> None:
        self.finished = torch.zeros(PROGRAMS, dtype=torch.int32, device=device)
        self.device, self.build = device, cache(lambda source, *definitions: build(source, definitions))
        self.kernels: dict[tuple[str, ...], Launchable] = {}

    @classmethod
    def of(cls, device: torch.device, capability: tuple[int, int]) -> Self:
        """Compiles what every model needs. Raises DriverError."""
        made = cls(device, lambda source, definitions: Module(source, device, capability, definitions))
        made.kernel("normalise", "rows.cu")
        return made

    def kernel(self, name: str, source: str, *definitions: str) -> Launchable:
        """The kernel `name` of the file `source` in `cuda/`, compiled with `#define`s. Raises DriverError."""
        key = (name, source, *definitions)
        if key not in self.kernels:
            self.kernels[key] = self.build(source, *definitions).kernel(name)
        return self.kernels[key]
