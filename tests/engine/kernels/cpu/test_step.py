"""The compiled decode step against plain torch on the weights that its own codes stand for."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from engine.kernels.cpu.layout import pack_projections
from engine.kernels.cpu.shapes import MOST_ROWS, SPAN
from engine.kernels.cpu.step import CpuStep
from engine.kernels.cpu.support import build_step
from engine.kernels.decode_step import StepRows
from engine.kv_cache.block_pool import BLOCK
from engine.kv_cache.cache import LayerShard
from engine.layers.int4_cpu import PackedLinear
from engine.layers.quantization import dequantize
from engine.layers.quantized import QuantizedLinear
from engine.models.llama.config import YarnScaling
from engine.models.llama.llama import Llama
from tests.engine.kernels.cpu.language import ABLE, SMALL, RoundingLinear, restored, small_language
from tests.engine.tiny import tiny_language

BLOCKS = 60  # of the pool
FLIPPED = 0.01  # of a result: inputs near a tie may be rounded to the other side than ours
EXACT = 2e-6  # of a result that no flipped input is in: most tokens
FARTHER = 9  # by as much a token is turned more than its place says, as with M-RoPE


def as_computed(language: Llama) -> Llama:
    """Plain matrices with the rounding that packing brought, and inputs rounded as the kernels do."""
    plain = tiny_language(config=language.config)
    for path, packed in language.model.named_modules():
        if isinstance(packed, PackedLinear):
            linear = RoundingLinear(packed.width_in, packed.width_out)
            plain.model.set_submodule(path, linear)
            linear.weight = torch.nn.Parameter(restored(pack_projections([packed]), 0))
            linear.lora = packed.lora
    for name, weight in language.model.named_parameters():
        if weight.ndim == 1:  # norms and biases
            plain.model.get_parameter(name).data = weight.float()
    head = language.lm_head
    assert isinstance(head, QuantizedLinear)
    plain.lm_head = RoundingLinear(head.width_in, head.width_out)
    plain.lm_head.weight = torch.nn.Parameter(dequantize(head.weight, head.weight_scale, torch.float32))
    return plain.requires_grad_(False)


@pytest.fixture(scope="module", params=["LLaMA's body", "Qwen's"])
def language(request: pytest.FixtureRequest) -> Llama:
    qwen = request.param == "Qwen's"
    stretched = YarnScaling(factor=4.0, original_max_position_embeddings=16, magnitude=1.2) if qwen else None
    return small_language(replace(SMALL, qkv_bias=qwen, qk_norm=qwen, rope_scaling=stretched))


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
            assert (written[found] - ours[found]).norm() < FLIPPED * ours[found].norm()
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
        states = step.layers(hidden[rows, position], shard, StepRows(tables[rows], at, at + FARTHER, lora_scale[rows]))
        for row, state in zip(rows, states, strict=True):
            finals[row].append(state)
    return [torch.stack(states) for states in finals], Kept(shard, tables)


@pytest.mark.parametrize("lengths", [[2 * SPAN + 3], [5, SPAN + 1, 17], [3] * (MOST_ROWS + 3)])
def test_a_step_equals_plain_torch(language: Llama, step: CpuStep, lengths: list[int]) -> None:
    plain = as_computed(language)
    hidden = torch.randn(len(lengths), max(lengths), SMALL.hidden_size, generator=torch.Generator().manual_seed(3))
    lora_scale = torch.stack([torch.arange(len(lengths)) % every == 0 for every in (2, 3)], dim=1).float()
    finals, kept = decode(step, hidden, lengths, lora_scale)
    expected = plain.run(range(SMALL.num_hidden_layers), hidden, torch.arange(max(lengths))[None] + FARTHER, kept, lora_scale[:, None])
    errors: list[Tensor] = []
    for row, final in enumerate(finals):
        wanted = expected[row, : lengths[row]]
        errors.append((final - wanted).norm(dim=-1) / wanted.norm(dim=-1))
        assert (final - wanted).norm() < FLIPPED * wanted.norm()
        logits = plain.logits(plain.model.norm(final))
        assert (step.logits(final) - logits).norm() < EXACT * logits.norm()
    assert torch.cat(errors).median() < EXACT


def test_a_row_gets_the_same_alone_and_in_company(step: CpuStep) -> None:
    lengths = [SPAN + 2, *range(3, MOST_ROWS + 5)]
    hidden = torch.randn(len(lengths), max(lengths), SMALL.hidden_size, generator=torch.Generator().manual_seed(7))
    lora_scale = torch.stack([torch.arange(len(lengths)) % every == 0 for every in (2, 3)], dim=1).float()
    together, _ = decode(step, hidden, lengths, lora_scale)
    logits = step.logits(torch.stack([final[-1] for final in together]))
    for row in (0, 1, len(lengths) - 1):
        (alone,), _ = decode(step, hidden[row : row + 1], lengths[row : row + 1], lora_scale[row : row + 1])
        assert torch.equal(alone, together[row])
        assert torch.equal(step.logits(alone[-1:])[0], logits[row])


def test_any_number_of_threads_computes_the_same(language: Llama, step: CpuStep) -> None:
    hidden = torch.randn(2, 20, SMALL.hidden_size, generator=torch.Generator().manual_seed(4))
    lora_scale = torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    expected, _ = decode(step, hidden, [20, 20], lora_scale)
    for threads in (1, 3):
        computed, _ = decode(CpuStep(language, threads), hidden, [20, 20], lora_scale)
        torch.testing.assert_close(computed, expected, rtol=0, atol=0)
