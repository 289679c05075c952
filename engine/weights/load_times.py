"""Remembers how long each model took to load, so that people who wait for it are told how many seconds are left."""

from __future__ import annotations

from pathlib import Path

import structlog
from pydantic import RootModel, ValidationError

from engine.atomic_write import replacing

log = structlog.get_logger()

GUESSED_BYTES_PER_SECOND = 200e6  # a laptop's disk and conversion; only until the first load was measured


class LoadTimes(RootModel[dict[str, float]]):
    """Seconds by model folder."""


def expected_seconds(record: Path, folder: Path) -> float:
    """How long loading `folder` will take: as last time, or a guess from its size."""
    remembered = read(record).get(str(folder))
    return remembered or 2.0 + sum(file.stat().st_size for file in folder.glob("*.safetensors")) / GUESSED_BYTES_PER_SECOND


def remember(record: Path, folder: Path, seconds: float) -> None:
    """Records how long loading `folder` took. A disk that can't be written is only logged: no more than an estimate is lost."""
    try:
        with replacing(record) as part:
            part.write_text(LoadTimes(read(record) | {str(folder): round(seconds, 2)}).model_dump_json(), encoding="utf-8")
    except OSError as error:
        log.warning("how long loading took is not remembered", record=str(record), error=str(error))


def read(record: Path) -> dict[str, float]:
    """Seconds by model folder; empty if the record is missing or damaged, since only an estimate depends on it."""
    try:
        return LoadTimes.model_validate_json(record.read_bytes()).root
    except (OSError, ValidationError):
        return {}
