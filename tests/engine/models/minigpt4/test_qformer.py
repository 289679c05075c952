"""Our Q-Former gives transformers' numbers for its weights, under its names, and its attention maps if they are asked for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engine.models.minigpt4.qformer import QueryTransformer
from tests.engine.models.minigpt4.blip2 import QUERIES, TOLERANCES, their_qformer

MEMORY_WIDTH, TOKENS = 48, 17


def inputs(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    return torch.randn(3, QUERIES.num_query_tokens, QUERIES.hidden_size, dtype=dtype), torch.randn(3, TOKENS, MEMORY_WIDTH, dtype=dtype)


@pytest.mark.parametrize("dtype", TOLERANCES)
@torch.inference_mode()
def test_what_the_queries_read_is_transformers(dtype: torch.dtype) -> None:
    theirs, ours = their_qformer(QUERIES, MEMORY_WIDTH).to(dtype), QueryTransformer(QUERIES, MEMORY_WIDTH).to(dtype)
    ours.load_state_dict(theirs.state_dict())
    queries, memory = inputs(dtype)
    expected = theirs(query_embeds=queries, encoder_hidden_states=memory).last_hidden_state
    torch.testing.assert_close(ours(queries, memory), expected, rtol=0, atol=TOLERANCES[dtype])


@torch.inference_mode()
def test_attention_maps_are_transformers_and_change_nothing() -> None:
    theirs, ours = their_qformer(QUERIES, MEMORY_WIDTH, "eager"), QueryTransformer(QUERIES, MEMORY_WIDTH)
    ours.load_state_dict(theirs.state_dict())
    queries, memory = inputs(torch.float32)
    maps: list[Tensor] = []
    torch.testing.assert_close(ours(queries, memory, maps), ours(queries, memory), rtol=0, atol=1e-5)
    expected = list(theirs(query_embeds=queries, encoder_hidden_states=memory, output_attentions=True).cross_attentions)
    assert len(maps) == len(expected) == QUERIES.num_hidden_layers // QUERIES.cross_attention_frequency
    for weights, known in zip(maps, expected, strict=True):
        torch.testing.assert_close(weights, known, rtol=0, atol=1e-5)


def test_names_and_shapes_are_transformers_in_its_order() -> None:
    theirs, ours = their_qformer(QUERIES, MEMORY_WIDTH).state_dict(), QueryTransformer(QUERIES, MEMORY_WIDTH).state_dict()
    assert [(name, tensor.shape) for name, tensor in ours.items()] == [(name, tensor.shape) for name, tensor in theirs.items()]
