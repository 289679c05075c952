"""Brings a model folder onto its device for the worker. torch is imported here and not before, so that the server listens at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from engine.load_times import remember
from engine.worker import Loaded

if TYPE_CHECKING:
    from engine.models.loader import Quantize

log = structlog.get_logger()


def load_decoder(folder: Path, devices: Sequence[str], quantize: Quantize, record: Path) -> Loaded:
    """Loads the model in `folder`, split over `devices` (none = the best); `record` learns how long that took. Raises ModelError."""
    begun = time.monotonic()
    import torch

    from engine.decoding import Decoder
    from engine.models.loader import load

    named = [torch.device(name) for name in devices]
    model = load(folder, named[0] if named else None, others=named[1:], quantize=quantize)
    seconds = time.monotonic() - begun
    remember(record, folder, seconds)
    log.info("model ready", model=model.card.name, device=str(model.device), seconds=round(seconds, 1))
    on_gpu = model.device.type == "cuda"
    return Loaded(Decoder(model), str(model.device), torch.cuda.memory_reserved if on_gpu else resident_bytes)


def resident_bytes() -> int:
    """The process's memory in RAM; Linux only, 0 elsewhere."""
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="ascii").splitlines() if status.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:")), 0)
