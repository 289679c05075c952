"""Which engines run on which devices, for cards of every size; the sizes are given, for there is no card here."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.weights import placement as arrangement
from engine.weights.loader import Quantize
from engine.weights.memory_needed import release_shapes
from engine.weights.placement import arrange
from tests.engine.weights.release_files import golden_sources, imported

CARDS = ["cuda:0", "cuda:1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "v0"
    imported(golden_sources("v0"), out)
    return out


@pytest.mark.parametrize(
    ("size", "quantize", "engines"),
    [
        (24, "auto", [["cuda:0"], ["cuda:1"]]),
        (24, "none", [["cuda:0"], ["cuda:1"]]),
        (12, "none", [["cuda:0", "cuda:1"]]),
        (12, "int8", [["cuda:0"], ["cuda:1"]]),
        (6, "auto", [["cuda:0", "cuda:1"]]),
    ],
)
def test_a_7b_on_two_cards(size: int, quantize: Quantize, engines: list[list[str]], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrangement, "free_memory", lambda device: int(size * 1e9))
    monkeypatch.setattr(arrangement, "shapes_of", lambda folder: release_shapes("7b"))
    assert arrange(folder, CARDS, quantize) == engines
