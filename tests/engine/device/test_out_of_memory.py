"""A device whose memory runs out: once is mended, twice is said, and what is no lack of memory passes."""

from __future__ import annotations

import pytest
import torch

from engine.device.out_of_memory import with_memory
from engine.errors import GenerationError, ModelError

LACK = "[enforce fail] DefaultCPUAllocator: can't allocate memory"


class Work:
    """Fails with the given errors, then succeeds."""

    def __init__(self, *errors: RuntimeError) -> None:
        self.errors, self.calls = list(errors), 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


@pytest.mark.parametrize("lack", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError(LACK)])
def test_a_second_attempt_may_succeed(lack: RuntimeError) -> None:
    assert with_memory(Work(lack)) == "done"


def test_memory_that_runs_out_again_is_the_requests_error() -> None:
    work = Work(RuntimeError(LACK), RuntimeError(LACK), RuntimeError(LACK))
    with pytest.raises(GenerationError, match="fewer beams"):
        with_memory(work)
    assert work.calls == 2


def test_what_may_not_be_done_twice_is_done_once_and_fails_as_its_caller_says() -> None:
    work = Work(RuntimeError(LACK))
    with pytest.raises(ModelError, match="too large"):
        with_memory(work, ModelError("too large"), attempts=1)
    assert work.calls == 1


def test_a_broken_device_is_no_lack_of_memory() -> None:
    work = Work(RuntimeError("CUDA error: an illegal memory access was encountered"))
    with pytest.raises(RuntimeError, match="illegal"):
        with_memory(work)
    assert work.calls == 1


def test_a_real_allocation_that_is_too_large_is_a_lack_of_memory() -> None:
    with pytest.raises(GenerationError):
        with_memory(lambda: torch.empty(10**15))
