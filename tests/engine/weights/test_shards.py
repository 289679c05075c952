"""Weights are written in safetensors files of at most a given size."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.weights import shards
from tests.engine.weights.release_files import golden_sources, imported


def test_shards_stay_below_their_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_BYTES", 210_000)
    imported(golden_sources("v0"), tmp_path / "out")
    files = list((tmp_path / "out").glob("*.safetensors"))
    assert len(files) > 4
    assert max(path.stat().st_size for path in files) <= 210_000
