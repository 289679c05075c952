"""What Triton's kernels on one device share."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from triton.runtime.driver import driver

HOPPER = (9, 0)
PROGRAMS = 1 << 16  # heads of all rows, or tiles of a matrix, that a launch puts together from shares
UNLIMITED = 1 << 20  # bytes: more than any kernel here asks for


@dataclass(frozen=True)
class TritonDevice:
    """Only one launch at a time may use it, because `finished` belongs to that launch."""

    finished: Tensor  # [programs] that are done, for the last to notice; 0 between launches
    overlap: bool  # whether a kernel may start before the one in front has ended (programmatic dependent launch)
    shared: int  # bytes of shared memory a program may have

    @classmethod
    def of(cls, device: torch.device) -> TritonDevice:
        finished = torch.zeros(PROGRAMS, dtype=torch.int32, device=device)
        if device.type != "cuda":  # Triton's interpreter
            return cls(finished, overlap=False, shared=UNLIMITED)
        shared = driver.active.utils.get_device_properties(finished.get_device())["max_shared_mem"]
        return cls(finished, torch.cuda.get_device_capability(device) >= HOPPER, shared)

    @property
    def early(self) -> dict[str, bool]:
        """The option of a launch that may start before the kernel in front has ended."""
        return {"launch_pdl": True} if self.overlap else {}
