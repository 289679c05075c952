"""transformers as a contender: one static cache serves every answer."""

from __future__ import annotations

from engine.bench.transformers_contenders import CompiledContender, TransformersContender
from engine.bench.workload import opening
from tests.engine.tiny import TinyModel

TOKENS = 8


def test_one_static_cache_serves_every_answer() -> None:
    model = TinyModel()
    plain, compiled = TransformersContender(model), CompiledContender(model)
    for number in (1, 2):
        assert compiled.generate([opening(number)], TOKENS).tolist() == plain.generate([opening(number)], TOKENS).tolist()
