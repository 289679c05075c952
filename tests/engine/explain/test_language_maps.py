"""The attention sink: what every row looks at is taken away, what one word looks at stays."""

from __future__ import annotations

import torch

from engine.explain.language_maps import without_sinks


def test_a_planted_look_shows_through_a_sink() -> None:
    """A sink of .8 on the first token, .1 on a register among the picture's, and a word that looks at token 3."""
    attention = torch.full((6, 8), 0.1 / 6)
    attention[:, 0], attention[:, 2] = 0.8, 0.1
    attention[4, 3] += 0.05
    attention[4, 0] -= 0.05
    found = without_sinks(attention, 3)
    assert found.shape == (3, 8)
    assert int(attention[4, 1:].argmax()) + 1 == 2  # the register, unless it is removed
    assert int(found[1].argmax()) == 3
    assert float(found[1, 0]) == 0.0
    assert float(found[1, 2]) == 0.0
