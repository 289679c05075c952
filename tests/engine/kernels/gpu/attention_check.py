"""What every implementation of attention over a cache is held to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from engine.kernels.attention import AttentionInputs, HeadTransform
from engine.models.llama.config import LlamaConfig
from engine.models.llama.llama import frequencies, rotary, rotate
from tests.engine.kernels.gpu.language import ROUNDING
from tests.engine.kernels.gpu.oracle import BLOCK, attended, error, past


def check_attention(
    attend: Callable[[AttentionInputs], Tensor], heads: int, kv_heads: int, head_dim: int, lengths: Sequence[int], *, rotated: bool
) -> None:
    """Holds `attend` to float64, over rows of these lengths whose blocks lie scattered; and it writes the new tokens alone."""
    past_lengths, most = torch.tensor(lengths, dtype=torch.int32), max(lengths) // BLOCK + 1
    tables = torch.randperm(len(lengths) * most).view(-1, most).int()
    keys, values = torch.randn(2, tables.numel(), BLOCK, kv_heads, head_dim).half()
    before = keys.clone(), values.clone()
    new = torch.randn(len(lengths), heads + 2 * kv_heads, head_dim).half()
    query, key, value = new.split((heads, kv_heads, kv_heads), dim=1)  # strided, as a fused projection leaves them
    config = LlamaConfig(1, 1, 1, 1, heads, kv_heads, head_dim)
    turn = None if rotated else HeadTransform(past_lengths, frequencies(config))
    ours = attend(AttentionInputs(query, key, value, keys, values, tables, past_lengths, turn))
    if not rotated:
        cos, sin = rotary(past_lengths[:, None], config, torch.float32)
        query, key = (rotate(x[:, :, None].float(), cos, sin)[:, :, 0] for x in (query, key))
    for row, length in enumerate(lengths):
        block, slot = int(tables[row, length // BLOCK]), length % BLOCK
        for kept, old, entering in ((keys, before[0], key), (values, before[1], value)):
            assert error(kept[block, slot], entering[row]) < ROUNDING
            old[block, slot] = kept[block, slot]
        exact = attended(query[row], past(keys, tables[row], length + 1), past(values, tables[row], length + 1))
        assert error(ours[row], exact) < ROUNDING
    assert torch.equal(keys, before[0]), "nothing is written but the new tokens"
    assert torch.equal(values, before[1])
