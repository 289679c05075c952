"""Prompts side by side in fixed shapes give what prompts one after another give; the graphs themselves need a GPU."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.kv_cache.cache import KVCache, PromptView
from engine.models.llama.prompt_inputs import PromptInputs
from engine.runner.prompt_graphs import PaddedView, PrefillChunk, Shape, grouped, shapes
from tests.engine.tiny import tiny_language


@torch.inference_mode()
def test_a_padded_view_attends_and_keeps_as_prompts_of_their_own_do() -> None:
    language = tiny_language()
    ragged, padded = KVCache(language, 40), KVCache(language, 40)
    long, short = torch.randn(40, 32), torch.randn(9, 32)
    for cache in (ragged, padded):  # the first 16 tokens are known already
        language(long[None, :16], torch.arange(16)[None], PromptView(cache, [([1, 2, 3], 0, 16)]))
    positions = torch.cat((torch.arange(16, 40), torch.arange(9)))[None]
    view = PromptView(ragged, [([1, 2, 3], 16, 40), ([7], 0, 9)])
    expected = language(torch.cat((long[16:], short))[None], positions, view)[0]
    hidden = torch.zeros(2, 32, 32)
    hidden[0, :24], hidden[1, :9] = long[16:], short
    tables = torch.tensor([[1, 2, 3, 0], [7, 0, 0, 0]])
    offsets, counts = torch.arange(32), torch.tensor([24, 9])
    places = torch.tensor([[16], [0]]) + offsets
    found = language(hidden, places, PaddedView(padded.shards[0], tables, places, offsets < counts[:, None]))
    torch.testing.assert_close(torch.cat((found[0, :24], found[1, :9])), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(padded.shards[0].keys[:, 1:], ragged.shards[0].keys[:, 1:], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(padded.shards[0].values[:, 1:], ragged.shards[0].values[:, 1:], rtol=1e-4, atol=1e-5)


@given(sizes=st.lists(st.tuples(st.integers(1, 512), st.integers(0, 1536)), min_size=1, max_size=9))
def test_every_prompt_is_read_once_in_order_in_a_shape_with_room(sizes: list[tuple[int, int]]) -> None:
    parts = [PrefillChunk(PromptInputs(torch.empty(length, 1)), [], start) for length, start in sizes]
    groups = list(grouped(parts, shapes(2048)))
    assert [part for _, group in groups for part in group] == parts
    for shape, group in groups:
        assert len(group) <= shape.prompts
        assert all(len(part.inputs) <= shape.tokens and part.end <= shape.context for part in group)


def test_short_prompts_are_read_together_in_the_smallest_shape() -> None:
    parts = [PrefillChunk(PromptInputs(torch.empty(length, 1)), [], 0) for length in (100, 20, 90, 128, 30)]
    assert [(shape, len(group)) for shape, group in grouped(parts, shapes(2048))] == [(Shape(4, 128, 512), 4), (Shape(1, 32, 512), 1)]
    with pytest.raises(ValueError, match="600"):
        list(grouped([PrefillChunk(PromptInputs(torch.empty(600, 1)), [], 0)], shapes(2048)))
