"""A model over several devices gives the tokens of one, and the plan puts no more on a device than it holds.

Without two GPUs both "devices" are the CPU, or the second is torch's meta device, which has shapes but no numbers: so
the planning, the shards' caches and the borders are real all the same.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.core.offline import OfflineEngine
from engine.errors import ModelError
from engine.evaluation.comparison import Comparison
from engine.images.decode import Limits, decode_picture
from engine.kv_cache.cache import KVCache, PromptView
from engine.models.llama.layer_split import allocate, plan_shards
from engine.models.llama.llama import Llama
from engine.prompts.turn import Turn
from engine.request import Request, TextDelta
from engine.weights.loader import load
from engine.weights.memory_needed import RELEASE
from tests.engine.tiny import CONFIG, TinyModel, tiny_card, tiny_language
from tests.engine.weights.release_files import GOLDEN, golden_sources, imported

CPU, META = torch.device("cpu"), torch.device("meta")
FOUR = replace(CONFIG, num_hidden_layers=4)


def meta_language(size: str) -> Llama:
    with META:
        return Llama(RELEASE[size]).half()


@pytest.mark.parametrize(("memory", "shard_sizes"), [((20e9, 20e9), (16, 16)), ((4e9, 20e9), (9, 23)), ((8e9, 8e9, 8e9), (10, 11, 11))])
def test_layers_are_spread_evenly_or_as_the_cards_allow(memory: tuple[float, ...], shard_sizes: tuple[int, ...]) -> None:
    assert plan_shards(meta_language("7b"), [int(size) for size in memory]) == shard_sizes


def test_no_device_gets_more_than_it_holds() -> None:
    language = meta_language("13b")
    first, second = plan_shards(language, [int(10e9), int(20e9)])
    layer = sum(parameter.numel() * 2 for parameter in language.model.layers[0].parameters())
    assert first * layer <= 10e9
    assert second * layer <= 20e9


def test_too_little_memory_together_names_the_remedy() -> None:
    with pytest.raises(ModelError, match=r"13\.5 GB.*5\.0 GB and 6\.0 GB.*4bit"):
        plan_shards(meta_language("7b"), [int(5e9), int(6e9)])


def split_on_cpu(shard_sizes: tuple[int, ...]) -> Llama:
    language = tiny_language(config=FOUR)
    language.shard_sizes = shard_sizes
    return language


@pytest.mark.parametrize("shard_sizes", [(2, 2), (1, 3), (1, 1, 2)])
@pytest.mark.parametrize("beams", [1, 3])
def test_answers_are_those_of_one_device(shard_sizes: tuple[int, ...], beams: int) -> None:
    generation = tiny_card().generation.model_copy(update={"num_beams": beams})
    request = Request((Turn("user", ("hello there",)),), generation)
    texts = []
    for language in (tiny_language(config=FOUR), split_on_cpu(shard_sizes)):
        events = OfflineEngine(TinyModel(language_model=language)).generate(request)
        texts.append("".join(event.text for event in events if isinstance(event, TextDelta)))
    assert texts[0] == texts[1] != ""


def test_each_shard_has_a_cache_of_its_own_layers() -> None:
    assert [len(shard.keys) for shard in KVCache(split_on_cpu((1, 3)), 8).shards] == [1, 3]
    assert [len(shard.keys) for shard in KVCache(tiny_language(config=FOUR), 8).shards] == [4]


def test_hidden_states_cross_the_border() -> None:
    """The second shard lies on another device: what comes out of the last layer is there."""
    with META:
        language = Llama(FOUR)
    allocate(language, [CPU, META], (2, 2))
    for parameter in language.parameters():
        if parameter.device == CPU:
            parameter.data.normal_()
    cache = KVCache(language, 8)
    view = PromptView(cache, [([1], 0, 3)])
    assert language(language.embed(torch.tensor([[1, 2, 3]])), torch.arange(3)[None], view).device == META
    assert [shard.device.type for shard in cache.shards] == ["cpu", "meta"]


@pytest.mark.parametrize("quantize", ["none", "int8"])
def test_a_folder_loaded_over_two_devices_gives_the_same_tokens(quantize: str, tmp_path: Path) -> None:
    imported(golden_sources("v0"), tmp_path / "out", "int8" if quantize == "int8" else "none")
    picture = decode_picture((GOLDEN / "tiny-v0" / "a.png").read_bytes(), Limits())
    one, two = (load(tmp_path / "out", CPU, others=others) for others in ((), (CPU,)))
    assert (one.language_model.shard_sizes, two.language_model.shard_sizes) == ((2,), (1, 1))
    records = [Comparison(model, [picture]).ask("What is in this picture?", None) for model in (one, two)]
    assert records[0].greedy_token_ids == records[1].greedy_token_ids


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="NOT TESTED: layers split over two real GPUs, for there are none here")
def test_two_gpus_give_the_tokens_of_one(tmp_path: Path) -> None:
    imported(golden_sources("v0"), tmp_path / "out")
    picture = decode_picture((GOLDEN / "tiny-v0" / "a.png").read_bytes(), Limits())
    first, second = torch.device("cuda:0"), torch.device("cuda:1")
    one, two = (load(tmp_path / "out", first, others=others) for others in ((), (second,)))
    assert {parameter.device for parameter in two.language_model.parameters()} == {first, second}
    records = [Comparison(model, [picture]).ask("What is in this picture?", None) for model in (one, two)]
    assert records[0].greedy_token_ids == records[1].greedy_token_ids
