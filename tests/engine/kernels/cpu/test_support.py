"""Which models and machines get the CPU's kernels."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from engine.kernels.cpu.support import build_step, fits
from engine.models.llama.llama import Llama
from tests.engine.kernels.cpu.language import ABLE, SMALL, small_language
from tests.engine.tiny import tiny_language


@pytest.fixture(scope="module")
def language() -> Llama:
    return small_language()


def test_other_models_are_left_to_torch(language: Llama) -> None:
    assert fits(language)
    assert build_step(tiny_language(config=SMALL), ABLE) is None
    assert build_step(small_language(replace(SMALL, head_dim=24, hidden_size=96)), ABLE) is None
    assert build_step(small_language(replace(SMALL, intermediate_size=80 + 8)), ABLE) is None


def test_without_numba_torch_has_to_do(language: Llama, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    assert build_step(language, ABLE) is None
