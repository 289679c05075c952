"""What happens when the device's memory runs out: give back what the allocator keeps, try once more, then say so."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from engine.errors import GenerationError

Result = TypeVar("Result")
SHORT_OF_MEMORY = "The device ran out of memory for this request: ask for fewer beams or a shorter answer, or send fewer pictures."


def with_memory(work: Callable[[], Result]) -> Result:
    """`work()`, a second time if memory ran out, then GenerationError. Any other RuntimeError is a broken device's and goes on."""
    try:
        return work()
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
    torch.cuda.empty_cache()  # does nothing without CUDA
    try:
        return work()
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        raise GenerationError(SHORT_OF_MEMORY) from error


def out_of_memory(error: RuntimeError) -> bool:
    """CUDA has an error of its own for it; on a CPU torch says it in words alone."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
