"""The one policy for a device whose memory runs out: give back what the allocator keeps, try again, then fail what asked for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from engine.errors import EngineError, GenerationError

Result = TypeVar("Result")
SHORT_OF_MEMORY = "The device ran out of memory for this request: ask for fewer beams or a shorter answer, or send fewer pictures."


def with_memory(work: Callable[[], Result], otherwise: EngineError | None = None, attempts: int = 2) -> Result:
    """`work()`, tried `attempts` times in all; work that may not be done twice takes 1. Before each new attempt the allocator's
    cache is given back.

    Raises `otherwise`, a GenerationError if it is None, where memory runs out each time. Any other RuntimeError is that of a
    broken device and passes.
    """
    for left in reversed(range(attempts)):
        try:
            return work()
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            if not left:
                raise (otherwise or GenerationError(SHORT_OF_MEMORY)) from error
        torch.cuda.empty_cache()  # does nothing without CUDA
    raise ValueError(f"{attempts} attempts are none")


def out_of_memory(error: RuntimeError) -> bool:
    """CUDA has an error of its own for it; on a CPU torch says it in words alone."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
