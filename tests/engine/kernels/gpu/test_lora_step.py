"""The decode step of a model with LoRA against plain torch."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("triton", reason="Triton has no build for this system; `make test` installs it on Linux.")

from engine.kernels.decode_step import StepRows
from engine.kernels.gpu.lora_step import LoraStep
from engine.kernels.gpu.support import has_lora
from engine.kernels.gpu.triton_device import TritonDevice
from engine.kernels.torch_step import TorchStep
from engine.kv_cache.cache import LayerShard
from tests.engine.kernels.gpu.language import CONFIG, half_language
from tests.engine.kernels.gpu.oracle import BLOCK


def test_a_model_with_lora_attends_in_a_kernel(device: TritonDevice) -> None:
    language = half_language("none").float()
    for adapter in language.add_lora(rank=2):
        adapter.b.data.normal_()
    shape = (CONFIG.num_hidden_layers, 6, BLOCK, CONFIG.num_key_value_heads, CONFIG.head_dim)
    tables, lengths, gate = torch.randperm(6).view(2, 3).int(), torch.tensor([40, 7]).int(), torch.tensor([[1.0], [0.0]])
    hidden, keys, values = torch.randn(2, CONFIG.hidden_size), torch.randn(shape), torch.randn(shape)
    plain, ours = (
        step.layers(hidden, LayerShard(0, CONFIG.num_hidden_layers, keys.clone(), values.clone()), StepRows(tables, lengths, lengths, gate))
        for step in (TorchStep(language), LoraStep(language))
    )
    assert has_lora(language)
    torch.testing.assert_close(ours, plain)
