"""A small fp16 language model for the GPU kernels' tests, and what it says without them."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from engine.layers.modes import Quantization
from engine.layers.quantization import mode_of_codes, quantize
from engine.layers.quantized import QuantizedLinear, use_quantized
from engine.models.llama.config import LlamaConfig, Mrope
from engine.models.llama.llama import Llama
from tests.engine.kernels.gpu.oracle import Past, past

MODES: tuple[Quantization, ...] = ("none", "int8", "4bit")
ROUNDING = 1e-3  # fp16's, and no more
CONFIG = LlamaConfig(
    vocab_size=34,
    hidden_size=64,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=16,
)
BIASED, NORMED = replace(CONFIG, qkv_bias=True), replace(CONFIG, qk_norm=True)  # Qwen2's body, Qwen3's
QWEN2_5_VL = replace(BIASED, mrope=Mrope((4, 2, 2), interleaved=False))
QWEN3_VL = replace(NORMED, mrope=Mrope((4, 2, 2), interleaved=True), deepstack=1)


def half_language(mode: Quantization, config: LlamaConfig = CONFIG) -> Llama:
    """Random fp16 weights, linear layers quantised in `mode`."""
    language = Llama(config)
    for weight in language.parameters():
        if weight.ndim == 1:
            weight.data += 0.3 * torch.randn(weight.shape)
    whole = {name: weight.detach() for name, weight in language.named_parameters()}
    use_quantized(language, mode)
    for name, module in language.named_modules():
        if isinstance(module, QuantizedLinear):
            codes = quantize(whole[f"{name}.weight"], mode_of_codes(module.weight.dtype))
            module.weight.data, module.weight_scale.data = codes
    return language.half().requires_grad_(False)


def expected_logits(
    language: Llama, hidden: Tensor, keys: Tensor, values: Tensor, table: Tensor, length: int, position: int | None = None
) -> Tensor:
    """`Llama.forward` in fp32 for one row [width] whose past lies in blocks; `position`, if not `length`, is what it is rotated by."""
    layers = range(language.config.num_hidden_layers)
    cache = Past(*([past(blocks[layer], table, length) for layer in layers] for blocks in (keys, values)))
    return language.logits(language(hidden.float()[None, None], torch.tensor([[length if position is None else position]]), cache)[0, 0])
