"""The compiled decode step against plain torch on the weights that its own codes stand for."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from engine.device.devices import Abilities
from engine.kernels.cpu.layout import Projection, pack_projections
from engine.kernels.cpu.shapes import MOST_ROWS, SPAN
from engine.kernels.cpu.stages import silu
from engine.kernels.cpu.step import CpuStep
from engine.kernels.cpu.support import build_step, fits
from engine.kv_cache.block_pool import BLOCK
from engine.kv_cache.cache import LayerShard
from engine.layers.int4_cpu import PackedLinear, pack
from engine.layers.linear import Linear
from engine.layers.quantization import dequantize, quantize
from engine.layers.quantized import QuantizedLinear
from engine.models.llama.config import LlamaConfig
from engine.models.llama.llama import Block, Llama
from tests.engine.tiny import CONFIG, tiny_language

BLOCKS = 60  # of the pool
ABLE = Abilities(torch.bfloat16, triton=False)
SMALL = replace(
    CONFIG, vocab_size=70, hidden_size=64, intermediate_size=96, head_dim=16, max_position_embeddings=200
)  # no whole tiles of words


def small_language(config: LlamaConfig = SMALL) -> Llama:
    language = tiny_language(config=config)
    head = QuantizedLinear(config.hidden_size, config.vocab_size, "int8")
    codes, scales = quantize(language.lm_head.weight.detach(), "int8")
    head.weight, head.weight_scale = (torch.nn.Parameter(part, requires_grad=False) for part in (codes, scales))
    language.lm_head = head
    pack(language.model)
    language.model.to(torch.bfloat16)
    for adapter in language.add_lora(rank=2, alpha=3.0):
        torch.nn.init.normal_(adapter.b, std=0.2, generator=torch.Generator().manual_seed(1))
    return language.requires_grad_(False)


def restored(packed: Projection, layer: int) -> Tensor:
    """The matrix [out, in] that a projection's codes stand for."""
    codes = np.concatenate((packed.codes[layer] & 15, packed.codes[layer] >> 4), axis=-1)  # [tiles, in, 32]
    step, least = packed.scales[layer].view(np.float16).astype(np.float32).repeat(32, axis=1).transpose(2, 0, 1, 3)
    return torch.from_numpy((codes * step + least).transpose(0, 2, 1).reshape(-1, codes.shape[1]))


def as_computed(language: Llama) -> Llama:
    """Plain matrices with the rounding that packing brought."""
    plain = tiny_language(config=language.config)
    for path, packed in language.model.named_modules():
        if isinstance(packed, PackedLinear):
            linear = plain.model.get_submodule(path)
            assert isinstance(linear, Linear)
            linear.weight = torch.nn.Parameter(restored(pack_projections([packed]), 0))
            linear.lora = packed.lora
    head = language.lm_head
    assert isinstance(head, QuantizedLinear)
    plain.lm_head.weight = torch.nn.Parameter(dequantize(head.weight, head.weight_scale, torch.float32))
    return plain.requires_grad_(False)


@pytest.fixture(scope="module")
def language() -> Llama:
    return small_language()


@pytest.fixture(scope="module")
def step(language: Llama) -> CpuStep:
    built = build_step(language, ABLE)
    assert isinstance(built, CpuStep)
    return built


class Kept:
    """Attention over the keys and values that the step left in its pool: near a tie, what it rounds falls to the other side than ours."""

    def __init__(self, shard: LayerShard, tables: Tensor) -> None:
        self.shard, self.tables = shard, tables.long()

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        keys, values = (self.read(pool[layer], key) for pool in (self.shard.keys, self.shard.values))
        for written, ours in ((keys, key), (values, value)):
            found = ~written.isnan()  # past a row's end nothing is written
            torch.testing.assert_close(written[found], ours[found], rtol=2**-8, atol=1e-3)
        return scaled_dot_product_attention(query, keys.nan_to_num(), values.nan_to_num(), is_causal=True, enable_gqa=True)

    def read(self, pool: Tensor, like: Tensor) -> Tensor:
        """[blocks, BLOCK, kv_heads, head_dim] → [rows, kv_heads, tokens, head_dim], as `like` is."""
        return pool[self.tables].flatten(1, 2)[:, : like.shape[2]].transpose(1, 2).float()

    def advance(self, new: int) -> None:
        """The pool is full already."""


def new_pool(rows: int, longest: int) -> tuple[LayerShard, Tensor]:
    """Blocks in no order, and what must never be read is NaN; the rows' tables."""
    shape = (SMALL.num_hidden_layers, BLOCKS, BLOCK, SMALL.num_key_value_heads, SMALL.head_dim)
    each = longest // BLOCK + 1
    order = torch.randperm(BLOCKS, generator=torch.Generator().manual_seed(2))
    pools = (torch.full(shape, torch.nan, dtype=torch.bfloat16) for _ in range(2))
    return LayerShard(0, SMALL.num_hidden_layers, *pools), order[: rows * each].view(rows, each).int()


def decode(step: CpuStep, hidden: Tensor, lengths: list[int], lora_scale: Tensor) -> tuple[list[Tensor], Kept]:
    """Each row's own tokens of `hidden` [rows, tokens, width], one at a time; rows that have come to their end stay out."""
    shard, tables = new_pool(len(hidden), max(lengths))
    finals: list[list[Tensor]] = [[] for _ in lengths]
    for position in range(max(lengths)):
        rows = [row for row, length in enumerate(lengths) if position < length]
        at = torch.full((len(rows),), position, dtype=torch.int32)
        for row, state in zip(rows, step.layers(hidden[rows, position], shard, tables[rows], at, lora_scale[rows]), strict=True):
            finals[row].append(state)
    return [torch.stack(states) for states in finals], Kept(shard, tables)


@pytest.mark.parametrize("lengths", [[2 * SPAN + 3], [5, SPAN + 1, 17], [3] * (MOST_ROWS + 3)])
def test_a_step_equals_plain_torch(language: Llama, step: CpuStep, lengths: list[int]) -> None:
    plain = as_computed(language)
    hidden = torch.randn(len(lengths), max(lengths), SMALL.hidden_size, generator=torch.Generator().manual_seed(3))
    lora_scale = (torch.arange(len(lengths)) % 2 == 0).float()
    finals, kept = decode(step, hidden, lengths, lora_scale)
    expected = plain.run(range(SMALL.num_hidden_layers), hidden, torch.arange(max(lengths))[None], kept, lora_scale.view(-1, 1, 1))
    for row, final in enumerate(finals):
        wanted = expected[row, : lengths[row]]
        assert (final - wanted).norm() < 1e-5 * wanted.norm()
        torch.testing.assert_close(step.logits(final), plain.logits(plain.model.norm(final)), rtol=1e-4, atol=1e-3)


def test_activations_far_from_zero_do_not_overflow() -> None:
    x = torch.tensor([-1e4, -100.0, -1.5, 0.0, 2.0, 1e4])
    assert [silu(value) for value in x.numpy()] == pytest.approx(torch.nn.functional.silu(x).tolist(), abs=1e-6)


def test_any_number_of_threads_computes_the_same(language: Llama, step: CpuStep) -> None:
    hidden = torch.randn(2, 20, SMALL.hidden_size, generator=torch.Generator().manual_seed(4))
    lora_scale = torch.tensor([1.0, 0.0])
    expected, _ = decode(step, hidden, [20, 20], lora_scale)
    for threads in (1, 3):
        computed, _ = decode(CpuStep(language, threads), hidden, [20, 20], lora_scale)
        torch.testing.assert_close(computed, expected, rtol=0, atol=0)


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


def test_other_models_are_left_to_torch(language: Llama) -> None:
    assert fits(language)
    assert build_step(tiny_language(config=SMALL), ABLE) is None
    assert build_step(small_language(replace(SMALL, head_dim=24, hidden_size=96)), ABLE) is None
    assert build_step(small_language(replace(SMALL, intermediate_size=80 + 8)), ABLE) is None


def test_without_numba_torch_has_to_do(language: Llama, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    assert build_step(language, ABLE) is None
