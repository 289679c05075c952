"""Copies of the golden release files, which a test may damage, and the folder to import them into."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.weights.importing import Sources
from tests.engine.weights.release_files import copied_sources


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    return copied_sources(tmp_path)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"
