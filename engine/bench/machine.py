"""Records which machine was measured and whether it was busy with other work: without both a figure means nothing."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict

CPU_FACTS = Path("/proc/cpuinfo")
IDLE = 0.5  # other processes that run or wait, averaged over a minute, up to which a machine counts as idle


class Machine(BaseModel):
    """`load` is the load average of the minute before we began; None where the system counts none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    processor: str
    cores: int
    threads: int
    system: str
    torch: str
    transformers: str
    device: str  # a GPU's name, or "CPU"
    load: float | None

    @property
    def is_busy(self) -> bool:
        return self.load is not None and self.load > IDLE


def this_machine(device: torch.device) -> Machine:
    return Machine(
        processor=processor(),
        cores=usable_cores(),
        threads=torch.get_num_threads(),
        system=f"{platform.system()} {platform.release()}",
        torch=torch.__version__,
        transformers=version("transformers"),
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    )


def processor() -> str:
    """The model's name: Linux has it in a file, other systems behind `platform`."""
    return field(CPU_FACTS, "model name") or platform.processor() or platform.machine()


def usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def field(path: Path, name: str) -> str | None:
    """The value in the first line `name: value`."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), None)
