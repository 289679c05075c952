"""The blocks of the KV cache: what begins alike is found again, and the least recently used go first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.kv_cache.block_pool import BLOCK, BlockPool, digests


@given(length=st.integers(0, 70), other=st.integers(0, 70))
def test_a_digest_stands_for_all_that_came_before(length: int, other: int) -> None:
    keys = list(range(70))
    changed = [*keys[:other], -1, *keys[other + 1 :]]
    same = sum(a == b for a, b in zip(digests(keys[:length], "x"), digests(changed[:length], "x"), strict=True))
    assert same == min(length, other) // BLOCK
    assert not set(digests(keys, "x")) & set(digests(keys, "y"))


def test_the_least_recently_used_blocks_go_first() -> None:
    pool = BlockPool(3)
    for name in "abc":
        (block,) = pool.allocate(1)
        pool.register([block], [name.encode()])
        pool.free([block])
    pool.share(pool.match([b"a"]))
    pool.free(pool.match([b"a"]))  # used again: now the youngest
    pool.allocate(2)
    assert pool.match([b"a"])
    assert not pool.match([b"b"])
    assert not pool.match([b"c"])
