"""What a device can compute and how much memory it has; every fast path asks here whether it may be taken.

Below compute capability 8.0 (Turing: the RTX 5000 of 2018, the T4) there is no bf16, and Triton multiplies without tensor
cores: fp16, and kernels in CUDA's C++. A capability given by hand (`--capability 7.5`) forces that path on any card.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from engine.errors import StartError

AMPERE = (8, 0)
STATUS = Path("/proc/self/status")
MEMORY = Path("/proc/meminfo")
CONTAINER = Path("/sys/fs/cgroup")
WORKING = 250_000_000  # bytes: cuBLAS' workspace, activations of one chunk of a prompt, restored rows, logits


@dataclass(frozen=True)
class Abilities:
    """`dtype` is what weights and activations are computed in; `triton` whether Triton's kernels may run; kernels in CUDA's C++ are
    compiled for `capability`, if there is one."""

    dtype: torch.dtype
    triton: bool
    capability: tuple[int, int] | None = None

    def dtype_for(self, stated: str | None) -> torch.dtype:
        """What a model is computed in whose makers `stated` a type: bf16 where the card can, for some write nonsense in fp16."""
        if stated == "bfloat16" and self.capability is not None and self.capability >= AMPERE:
            return torch.bfloat16
        return self.dtype


def abilities(device: torch.device, capability: tuple[int, int] | None = None) -> Abilities:
    """fp16 on every GPU, which MiniGPT-4 was released in (for others see `dtype_for`); on a CPU only bf16 has fast kernels."""
    if device.type != "cuda":
        return Abilities(torch.bfloat16, triton=False)
    found = torch.cuda.get_device_capability(device) if capability is None else capability
    return Abilities(torch.float16, triton=found >= AMPERE, capability=found)


def default_device() -> torch.device:
    """The first GPU, else the CPU."""
    return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")


def held_bytes(device: torch.device) -> int:
    """Bytes that this process holds: on a GPU what torch reserved; on the CPU its memory without mapped files, which the system can drop.

    Linux only, 0 elsewhere.
    """
    if device.type == "cuda":
        return torch.cuda.memory_reserved(device)
    lines = STATUS.read_text(encoding="ascii", errors="replace").splitlines() if STATUS.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:")), 0)


def find_device(name: str) -> torch.device:
    """The device with this name of torch's (`cuda:0`, `cpu`). Raises StartError if it is not here."""
    here = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if (f"{name}:0" if name == "cuda" else name) not in here:
        raise StartError(f"There is no device {name!r} here. torch sees {', '.join(here)}.")
    return torch.device(name)


def free_memory(device: torch.device) -> int | None:
    """Free bytes of a card, CUDA's own context counted as used; None for the CPU, whose memory is not planned."""
    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)  # starts the context, so that it is not free any more
    return free


def main_memory() -> int | None:
    """Bytes of main memory that a process may still take, in a container at most what it is given; None where no Linux tells."""
    try:
        lines = MEMORY.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    free = next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)
    try:
        most = int((CONTAINER / "memory.max").read_text(encoding="ascii"))
        used = int((CONTAINER / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):  # no container of its own, or one without a limit, which says "max"
        return free
    return most - used if free is None else min(free, most - used)


def cap_memory(devices: Iterable[torch.device], most: int) -> None:
    """Limits what this process may allocate to `most` bytes of each card; beyond that, allocations fail as if memory were full."""
    for device in devices:
        if device.type == "cuda":
            _, total = torch.cuda.mem_get_info(device)
            torch.cuda.set_per_process_memory_fraction(min(1.0, most / total), device)
