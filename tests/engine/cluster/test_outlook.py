"""One health of many: the rows of those that are ready, and why where none is."""

from __future__ import annotations

from engine.api import Health
from engine.cluster.outlook import combined


def health(status: str, rows: int = 4, **values: object) -> Health:
    return Health.model_validate({"status": status, "model": "pocket", "device": "cpu", "memory_bytes": 10, "rows": rows, **values})


def test_only_ready_replicas_have_rows() -> None:
    told = combined("pocket", [health("loading", 0), health("ready", step_seconds=2.0), health("ready", 6), health("failed", 8)])
    assert (told.status, told.rows, told.memory_bytes, told.device, told.step_seconds) == ("ready", 10, 20, "2 × cpu", 2.0)


def test_none_ready_says_why() -> None:
    assert combined("pocket", []).status == "loading"
    assert combined("pocket", [health("failed", detail="It hangs."), health("loading")]).status == "loading"
    failed = combined("pocket", [health("failed", detail="It hangs.")])
    assert (failed.status, failed.rows, failed.detail) == ("failed", 0, "It hangs.")
