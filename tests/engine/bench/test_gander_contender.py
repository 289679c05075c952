"""Gander as a contender."""

from __future__ import annotations

import pytest

from engine.bench.contender import UnableError
from engine.bench.gander_contender import GanderContender
from engine.bench.workload import opening
from tests.engine.tiny import TinyModel, tiny_card


def test_an_answer_cut_by_the_context_window_gives_no_figure() -> None:
    ours = GanderContender(TinyModel(tiny_card(context_length=260)), 1, 300)
    with pytest.raises(UnableError, match="not 150"):
        ours.answer(opening(1), 150)
