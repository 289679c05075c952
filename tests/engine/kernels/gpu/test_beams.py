"""A beam search's kernels: ranked as by torch, and moved as one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

pytest.importorskip("triton", reason="Triton has no build for this system; `make test` installs it on Linux.")

from engine.core.build import build_engine
from engine.kernels.beams import BeamState
from engine.kernels.gpu import beams
from engine.kernels.gpu.triton_device import TritonDevice
from engine.kernels.torch_step import TorchStep
from engine.kv_cache.cache import LayerShard
from tests.engine.core.requests import asked, run
from tests.engine.tiny import TinyModel


@pytest.mark.parametrize("copies", [[], [(4, 7), (2, 0)]])
def test_tables_tokens_and_blocks_move_at_once(
    device: TritonDevice, copies: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beams, "PART", 32)
    keys, values = torch.randn(2, 3, 8, 4, 2, 8)  # layers, blocks, tokens, heads, head_dim
    shard, before = LayerShard(0, 3, keys.clone(), values.clone()), (keys.clone(), values.clone())
    tables, last = torch.arange(35, dtype=torch.int32).view(5, 7), torch.arange(5)
    slots, tokens, parents, blocks, at = [3, 0, 4], [50, 51, 52], [1, 1, 0], [90, 91, 92], 4
    pairs = [block for sides in zip(*copies, strict=True) for block in sides]
    state = BeamState(tables.clone(), last.clone())
    beams.TritonBeams().move(state, shard, torch.tensor(slots), torch.tensor([*tokens, *parents, *blocks, *pairs]), at)
    expected, ends = tables.clone(), last.clone()
    for slot, token, parent, block in zip(slots, tokens, parents, blocks, strict=True):
        expected[slot], ends[slot] = tables[slots[parent]], token
        expected[slot, at:] = block
    for source, target in copies:
        for pool in before:
            pool[:, target] = pool[:, source]
    assert torch.equal(state.tables, expected)
    assert torch.equal(state.last, ends)
    assert torch.equal(shard.keys, before[0])
    assert torch.equal(shard.values, before[1])


@pytest.mark.parametrize("barred", [False, True])
def test_the_likeliest_tokens_are_those_of_torch(device: TritonDevice, barred: bool) -> None:
    logits, is_end = 5 * torch.randn(3, 90), torch.arange(90) % 7 == 0
    scores, ids = beams.TritonBeams().rank(logits, is_end if barred else None, 8)
    log_probabilities = logits.log_softmax(dim=-1)
    expected = (log_probabilities.masked_fill(is_end, -torch.inf) if barred else log_probabilities).topk(8)
    assert torch.equal(ids.long(), expected.indices)
    torch.testing.assert_close(scores, expected.values)


@pytest.mark.skipif(torch.cuda.is_available(), reason="test_cuda.py searches on the card")
def test_a_search_by_the_kernels_is_the_search_without_them() -> None:
    requests = [replace(asked(num_beams=width, max_tokens=8), min_tokens=least) for width, least in ((3, 0), (4, 5))]
    engines = [build_engine(TinyModel(), rows=8, tokens=2000) for _ in range(2)]
    step = engines[0].runner.step
    assert isinstance(step, TorchStep)
    step.beams = beams.TritonBeams()
    ours, plain = ([listener.text for listener in run(engine, *requests)] for engine in engines)
    assert ours == plain
