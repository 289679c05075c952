"""One `/health` of many replicas, told by their devices: the sum of what is ready, and the reason where nothing is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from engine.api import Health


def combined(model: str, replicas: Sequence[Health]) -> Health:
    """`rows` are those of ready replicas alone, so that nobody sends what could only wait here."""
    ready = [health for health in replicas if health.status == "ready"]
    shown = next(iter((*ready, *replicas)), None)
    if shown is None:
        return Health(status="loading", model=model, device="", memory_bytes=0, rows=0, detail="No replica runs yet.")
    devices = Counter(health.device for health in ready)
    steps = [health.step_seconds for health in ready if health.step_seconds is not None]
    return shown.model_copy(
        update={
            "status": "ready" if ready else "loading" if any(health.status == "loading" for health in replicas) else "failed",
            "device": ", ".join(f"{count} × {device}" for device, count in devices.items()),
            "memory_bytes": sum(health.memory_bytes for health in ready),
            "rows": sum(health.rows for health in ready),
            "step_seconds": max(steps, default=None),
        }
    )
