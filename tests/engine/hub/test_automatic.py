"""`--model auto`: what is taken on which machine."""

from __future__ import annotations

import pytest

from engine.hub.automatic import Hardware, best_for
from engine.hub.names import catalogue


@pytest.mark.parametrize(
    ("gigabytes", "capability", "main", "name"),
    [
        (None, None, 16, "smolvlm-500m"),
        (None, None, 2, "smolvlm-256m"),
        (None, None, None, "smolvlm-500m"),
        (4, (8, 6), 16, "smolvlm-500m"),
        (6, (8, 6), 16, "smolvlm2-2b"),
        (8, (8, 6), 16, "qwen3-vl-4b"),
        (7.7, (8, 9), 16, "qwen3-vl-4b"),
        (11.6, (8, 6), 16, "qwen3-vl-8b"),
        (24, (8, 9), 16, "qwen3-vl-8b"),
        (8, (7, 5), 16, "llava-7b"),
    ],
)
def test_the_rule(gigabytes: float | None, capability: tuple[int, int] | None, main: float | None, name: str) -> None:
    machine = Hardware(None if gigabytes is None else int(gigabytes * 1e9), capability, None if main is None else int(main * 1e9))
    choice = best_for(machine)
    assert choice.name == name
    assert name in choice.rule
    assert name in catalogue()
