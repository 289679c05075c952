"""Triton's attention against plain float64."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("triton", reason="Triton has no build for this system; `make test` installs it on Linux.")

from engine.kernels.attention import AttentionInputs, HeadTransform
from engine.kernels.gpu.attention import attend
from engine.kernels.gpu.triton_device import TritonDevice
from engine.models.llama.config import LlamaConfig
from engine.models.llama.llama import frequencies, rotary, rotate
from tests.engine.kernels.gpu.language import ROUNDING
from tests.engine.kernels.gpu.oracle import BLOCK, attended, error, past


@pytest.mark.parametrize(("heads", "kv_heads", "rotated"), [(2, 2, True), (3, 1, False)])
def test_attention_over_scattered_blocks(device: TritonDevice, heads: int, kv_heads: int, rotated: bool) -> None:
    lengths, most, head_dim = torch.tensor([0, 15, 16, 70], dtype=torch.int32), 5, 16
    tables = torch.randperm(len(lengths) * most).view(-1, most).int()
    keys, values = torch.randn(2, tables.numel(), BLOCK, kv_heads, head_dim).half()
    before = keys.clone(), values.clone()
    new = torch.randn(len(lengths), heads + 2 * kv_heads, head_dim).half()
    query, key, value = new.split((heads, kv_heads, kv_heads), dim=1)  # strided, as a fused projection leaves them
    config = LlamaConfig(1, 1, 1, 1, heads, kv_heads, head_dim)
    turn = None if rotated else HeadTransform(lengths, frequencies(config))
    ours = attend(device, AttentionInputs(query, key, value, keys, values, tables, lengths, turn))
    if not rotated:
        cos, sin = rotary(lengths[:, None], config, torch.float32)
        query, key = (rotate(x[:, :, None].float(), cos, sin)[:, :, 0] for x in (query, key))
    for row, length in enumerate(lengths.tolist()):
        block, slot = int(tables[row, length // BLOCK]), length % BLOCK
        for kept, old, entering in ((keys, before[0], key), (values, before[1], value)):
            assert error(kept[block, slot], entering[row]) < ROUNDING
            old[block, slot] = kept[block, slot]
        exact = attended(query[row], past(keys, tables[row], length + 1), past(values, tables[row], length + 1))
        assert error(ours[row], exact) < ROUNDING
    assert torch.equal(keys, before[0]), "nothing is written but the new tokens"
    assert torch.equal(values, before[1])
    assert not device.finished.any()
