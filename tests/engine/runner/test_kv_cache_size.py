"""How a card's memory is shared out: conversations first, then what makes them faster."""

from __future__ import annotations

import pytest

from engine.kv_cache.block_pool import BLOCK
from engine.runner.kv_cache_size import CPU_ROWS, GPU_ROWS, LEAST, ROOMY, capacity_for, ladder, plan_pool
from engine.weights.memory_needed import release_shapes
from tests.engine.tiny import TinyModel

GB = 1_000_000_000
WHOLE = GPU_ROWS * 2048 // BLOCK
BLOCK_BYTES = release_shapes("7b").cache_bytes * BLOCK


@pytest.mark.parametrize(
    ("free", "tokens", "roomy"),
    [
        (64 * GB, range(100_000, GPU_ROWS * 2048), True),  # 80 GB beside 7B in fp16
        (7.6 * GB, range(ROOMY, 12_000), True),  # 24 GB beside 7B in fp16
        (2.3 * GB, range(3000, 4000), False),  # 12 GB beside 7B in int8
        (0.5 * GB, range(LEAST, LEAST + BLOCK), False),
        (200 * GB, range(GPU_ROWS * 2048, GPU_ROWS * 2048 + 1), True),
    ],
)
def test_a_7b_on_cards_of_all_sizes(free: float, tokens: range, roomy: bool) -> None:
    blocks, found = plan_pool([(int(free), BLOCK_BYTES)], WHOLE)
    assert blocks * BLOCK in tokens
    assert found is roomy


def test_of_several_cards_the_fullest_decides() -> None:
    half = BLOCK_BYTES // 2
    assert plan_pool([(40 * GB, half), (5 * GB, half)], WHOLE) == plan_pool([(5 * GB, half)], WHOLE)


def test_full_batches_have_a_graph_of_their_own() -> None:
    assert ladder(1) == [1]
    assert ladder(10) == [1, 2, 4, 8, 10]
    assert ladder(200)[-1] == 64


def test_on_a_cpu_all_rows_may_be_full() -> None:
    capacity = capacity_for(TinyModel(), compact=False)
    assert (capacity.rows, capacity.blocks) == (CPU_ROWS, CPU_ROWS * -(-600 // BLOCK))
    assert capacity_for(TinyModel(), compact=True, rows=3, tokens=100).blocks == 7
