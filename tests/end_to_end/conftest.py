"""A data folder with a real, tiny MiniGPT-4 in it: the golden files, imported once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.weights.release_files import golden_sources, imported


@pytest.fixture(scope="session")
def tiny_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """GANDER_HOME whose one model is called `tiny`."""
    home = tmp_path_factory.mktemp("home")
    imported(golden_sources("v1"), home / "models" / "tiny")
    return home
