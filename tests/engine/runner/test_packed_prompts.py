"""Chunks of prompts find their places in a pass; what the kernels then compute: tests/engine/kernels/gpu/test_prompt_step.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from engine.kernels.prompts import TILE, PromptTiles
from engine.kernels.torch_step import TorchStep
from engine.kv_cache.cache import KVCache, LayerShard
from engine.models.llama.config import Mrope
from engine.models.llama.prompt_inputs import PromptInputs
from engine.runner import packed_prompts
from engine.runner.model_runner import ModelRunner
from engine.runner.packed_prompts import PackedPrompts, passes, tiles_of
from engine.runner.prompt_graphs import LONGEST, PrefillChunk
from engine.runner.select_step import choose_step
from tests.engine.tiny import CONFIG, tiny_language


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

    def layers(self, hidden: Tensor, shard: LayerShard, tiles: PromptTiles, deepstack: Tensor | None = None) -> Tensor:
        self.tiles = tiles
        return hidden if deepstack is None else hidden + deepstack.sum(0)


class Echo(TorchStep):
    def logits(self, hidden: Tensor) -> Tensor:
        return hidden


def chunk(tokens: int, start: int = 0, table: tuple[int, ...] = ()) -> PrefillChunk:
    return PrefillChunk(PromptInputs(torch.rand(tokens, 32)), table, start)


@given(sizes=st.lists(st.integers(1, LONGEST), min_size=1, max_size=40))
def test_every_prompt_is_read_once_in_order_in_passes_with_room(sizes: list[int]) -> None:
    chunks = [PrefillChunk(PromptInputs(torch.empty(size, 1)), [], 0) for size in sizes]
    found = list(passes(chunks))
    assert [each for taken in found for each in taken] == chunks
    assert all(sum(map(tiles_of, taken)) * TILE <= LONGEST for taken in found)


def test_a_chunk_longer_than_a_pass_is_refused() -> None:
    with pytest.raises(ValueError, match="600"):
        list(passes([chunk(600)]))


@pytest.fixture
def uncaptured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass computes anew each time."""

    def capture(work: Callable[[], Tensor], device: torch.device, pool: object) -> tuple[Again, Tensor]:
        graph = Again(work)
        return graph, graph.output

    monkeypatch.setattr(packed_prompts, "capture", capture)


@pytest.mark.usefixtures("uncaptured")
def test_tiles_know_their_tables_and_each_chunk_gets_what_its_last_token_says() -> None:
    language, same = tiny_language(), Same()
    packed = PackedPrompts(language, Echo(language), same, KVCache(language, 9).shards[0], 5, None)
    chunks = [chunk(20, 32, (4, 2, 7, 1)), chunk(3, 0, (6,)), chunk(16, 16, (5, 3))]
    last = packed.prefill(chunks)
    assert torch.equal(last, torch.stack([each.inputs.embeddings[-1] for each in chunks]))
    assert same.tiles.starts.tolist() == [32, 48, 0, 16]  # four tiles: the smallest pass with room has 64 tokens
    assert same.tiles.counts.tolist() == [16, 4, 3, 16]
    assert [same.tiles.tables[tile, :count].tolist() for tile, count in enumerate((4, 4, 1, 2))] == [[4, 2, 7, 1]] * 2 + [[6], [5, 3]]


@pytest.mark.usefixtures("uncaptured")
@torch.inference_mode()
def test_positions_and_what_pictures_add_stand_beside_their_tokens_and_nothing_is_left_of_the_pass_before() -> None:
    language, same = tiny_language(0, replace(CONFIG, mrope=Mrope((2, 1, 1), interleaved=True), deepstack=2)), Same()
    packed = PackedPrompts(language, Echo(language), same, KVCache(language, 9).shards[0], 5, None)
    positions, added = torch.randint(0, 99, (3, 20)), torch.rand(2, 20, 32)
    pictured = PrefillChunk(PromptInputs(torch.rand(20, 32), positions, added), (4, 2, 7, 1), 32)
    words = chunk(9, 5, (6,))
    last = packed.prefill([pictured, words])
    assert torch.equal(last, torch.stack([pictured.inputs.embeddings[-1] + added.sum(0)[-1], words.inputs.embeddings[-1]]))
    assert same.tiles.positions is not None
    assert torch.equal(same.tiles.positions[:, :20].long(), positions)
    assert same.tiles.positions[:, 32:41].tolist() == [[*range(5, 14)]] * 3
    again = chunk(64, 0, (6, 5, 3, 2))
    assert torch.equal(packed.prefill([again])[0], again.inputs.embeddings[-1])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="NOT TESTED: graphs of packed prompts, for there is no GPU here")
@torch.inference_mode()
def test_a_card_reads_packed_prompts_of_qwens_as_the_model_itself_does() -> None:
    config = replace(CONFIG, head_dim=16, qk_norm=True, mrope=Mrope((4, 2, 2), interleaved=True), deepstack=2)
    language = tiny_language(0, config).to("cuda", torch.bfloat16)
    chunks = []
    for tokens, start, blocks in ((70, 0, (1, 2, 3, 4, 5)), (9, 0, (6,)), (33, 0, (7, 8, 9))):
        inputs = PromptInputs(torch.rand(tokens, 32, device="cuda").bfloat16(), torch.randint(0, 99, (3, tokens)))
        added = torch.rand(2, tokens, 32, device="cuda").bfloat16()
        chunks.append(PrefillChunk(replace(inputs, deepstack=added if tokens > 9 else None), blocks, start))
    runner = ModelRunner(language, KVCache(language, 16), choose_step(language), 4, 128)
    plain = runner.prefill(chunks)
    runner.capture([1, 4], progress=lambda line: None)
    assert isinstance(runner.prompt_graphs, PackedPrompts)
    for _ in range(2):
        packed = runner.prefill(chunks)
        assert float((packed - plain).norm() / plain.norm()) < 0.02  # bfloat16 has three digits
