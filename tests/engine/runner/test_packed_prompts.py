"""Chunks of prompts find their places in a pass; what the kernels then compute: tests/engine/kernels/gpu/test_prompt_step.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from engine.kernels.prompts import TILE, PromptTiles
from engine.kernels.torch_step import TorchStep
from engine.kv_cache.cache import KVCache, LayerShard
from engine.models.llama.prompt_inputs import PromptInputs
from engine.runner import packed_prompts
from engine.runner.packed_prompts import PackedPrompts, passes, tiles_of
from engine.runner.prompt_graphs import LONGEST, PrefillChunk
from tests.engine.tiny import tiny_language


class Again:
    """Computes in place of a graph's replay, into the output that the first time made."""

    def __init__(self, work: Callable[[], Tensor]) -> None:
        self.work, self.output = work, work()

    def replay(self) -> None:
        self.output.copy_(self.work())

    def pool(self) -> None:
        """There is no memory to share."""


class Same:
    """No layers: gives hidden states back, and remembers where the last ones stood."""

    def layers(self, hidden: Tensor, shard: LayerShard, tiles: PromptTiles) -> Tensor:
        self.tiles = tiles
        return hidden


class Echo(TorchStep):
    def logits(self, hidden: Tensor) -> Tensor:
        return hidden


def chunk(tokens: int, start: int = 0, table: tuple[int, ...] = ()) -> PrefillChunk:
    return PrefillChunk(PromptInputs(torch.rand(tokens, 32)), table, start, lora=False)


@given(sizes=st.lists(st.integers(1, LONGEST), min_size=1, max_size=40))
def test_every_prompt_is_read_once_in_order_in_passes_with_room(sizes: list[int]) -> None:
    chunks = [PrefillChunk(PromptInputs(torch.empty(size, 1)), [], 0, lora=False) for size in sizes]
    found = list(passes(chunks))
    assert [each for taken in found for each in taken] == chunks
    assert all(sum(map(tiles_of, taken)) * TILE <= LONGEST for taken in found)


def test_a_chunk_longer_than_a_pass_is_refused() -> None:
    with pytest.raises(ValueError, match="600"):
        list(passes([chunk(600)]))


def test_tiles_know_their_tables_and_each_chunk_gets_what_its_last_token_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def capture(work: Callable[[], Tensor], device: torch.device, pool: object) -> tuple[Again, Tensor]:
        graph = Again(work)
        return graph, graph.output

    monkeypatch.setattr(packed_prompts, "capture", capture)
    language, same = tiny_language(), Same()
    packed = PackedPrompts(Echo(language), same, KVCache(language, 9).shards[0], torch.empty(1, 32), 5, None)
    chunks = [chunk(20, 32, (4, 2, 7, 1)), chunk(3, 0, (6,)), chunk(16, 16, (5, 3))]
    last = packed.prefill(chunks)
    assert torch.equal(last, torch.stack([each.inputs.embeddings[-1] for each in chunks]))
    assert same.tiles.starts.tolist() == [32, 48, 0, 16]  # four tiles: the smallest pass with room has 64 tokens
    assert same.tiles.counts.tolist() == [16, 4, 3, 16]
    assert [same.tiles.tables[tile, :count].tolist() for tile, count in enumerate((4, 4, 1, 2))] == [[4, 2, 7, 1]] * 2 + [[6], [5, 3]]
