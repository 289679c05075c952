"""Matrices packed for the CPU's kernels."""

from __future__ import annotations

import pytest
import torch

from engine.kernels.cpu.layout import pack_projections
from engine.layers.linear import Linear
from engine.models.llama.llama import Block, Llama
from tests.engine.kernels.cpu.language import restored, small_language


@pytest.fixture(scope="module")
def language() -> Llama:
    return small_language()


def test_packing_loses_no_more_than_the_rounding_of_a_groups_step(language: Llama) -> None:
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(0, 16, (64, 3, 32), generator=generator)
    codes[..., 0], codes[..., 1] = 0, 15
    layer = Linear(96, 64)
    layer.weight.data = (codes * 0.25 - 2.0).flatten(1)
    assert torch.equal(restored(pack_projections([layer]), 0), layer.weight)
    blocks = [block for block in language.model.layers if isinstance(block, Block)]
    packed = pack_projections([block.mlp.down_proj for block in blocks])
    for index, block in enumerate(blocks):
        lost = (restored(packed, index) - block.mlp.down_proj.weight).norm() / block.mlp.down_proj.weight.norm()
        assert 0.01 < lost < 0.12  # random weights have no steps to find again
