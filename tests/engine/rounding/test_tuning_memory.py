"""What tuning is said to take, held against the bytes that autograd keeps."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.layers.linear import Linear
from engine.layers.quantization import quantize
from engine.models.llama.config import LlamaConfig
from engine.models.llama.llama import Block, RMSNorm, rotary
from engine.rounding.student import TunedLinear, TunedNorm
from engine.rounding.tuning_memory import kept_for_backward, tuning_memory
from engine.weights.memory_needed import RELEASE

TOKENS = 512
SHARED_KEYS = LlamaConfig(300, 128, 384, 1, 8, 2, 16)


def test_a_layer_keeps_as_much_for_its_gradients_as_is_said() -> None:
    block, own, kept = tuned_block(), set[int](), dict[int, int]()
    for module in block.modules():
        if isinstance(module, TunedLinear):
            own |= {tensor.untyped_storage().data_ptr() for tensor in (module.codes, module.scales)}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    x = torch.randn(1, TOKENS, SHARED_KEYS.hidden_size, requires_grad=True)
    rotation = rotary(torch.arange(TOKENS)[None], SHARED_KEYS, torch.float32)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        block(x, rotation, None, None)
    activations = sum(size for address, size in kept.items() if address not in own)
    assert abs(activations / (4 * TOKENS * kept_for_backward(SHARED_KEYS)) - 1) < 0.06


def tuned_block() -> Block:
    block = Block(SHARED_KEYS, 0).requires_grad_(False)
    for name, module in list(block.named_modules()):
        if isinstance(module, RMSNorm):
            block.set_submodule(name, TunedNorm(module))
        elif isinstance(module, Linear):
            block.set_submodule(name, TunedLinear(*quantize(torch.randn(module.width_out, module.width_in), "4bit")))
    return block


def test_beside_a_card_a_7b_and_a_13b_stay_within_what_an_import_may_take() -> None:
    needs = [tuning_memory(RELEASE[size], torch.float16, rows=64, length=256) for size in ("7b", "13b")]
    assert [round(need.device / 1e9) for need in needs] == [8, 15]
    assert all(need.host < 1.5e9 for need in needs)  # of 2 GB, the rest for Python and torch
