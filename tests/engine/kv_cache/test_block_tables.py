"""Beams over shared blocks hold exactly what beams with blocks of their own would."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.core.scheduler import Scheduler
from engine.kv_cache.block_pool import BLOCK, BlockPool
from engine.kv_cache.block_tables import Branches
from tests.engine.core.groups import group_of


@given(length=st.integers(1, 40), rows=st.integers(1, 6), steps=st.integers(1, 50), data=st.data())
def test_every_beam_reads_its_own_past(length: int, rows: int, steps: int, data: st.DataObject) -> None:
    group = group_of(range(length), rows, steps)
    scheduler = Scheduler(BlockPool(group.blocks), rows, length)
    scheduler.add(group)
    assert scheduler.schedule().admitted == [group]
    branches = Branches(group.tables, length)
    memory = {(block, place): -1 for table in group.tables for block in table for place in range(BLOCK)}
    for at in range(length):
        memory[group.tables[0][at // BLOCK], at % BLOCK] = at
    histories = [list(range(length))] * rows
    for step in range(steps):
        parents = data.draw(st.lists(st.integers(0, rows - 1), min_size=rows, max_size=rows))
        histories = [[*histories[parent], 1000 * step + row] for row, parent in enumerate(parents)]
        for source, target in branches.fork(parents):
            memory |= {(target, place): memory[source, place] for place in range(BLOCK)}
        for row, table in enumerate(branches.tables):
            memory[table[branches.length // BLOCK], branches.length % BLOCK] = histories[row][-1]
        branches.advance()
        for row, table in enumerate(branches.tables):
            assert [memory[table[at // BLOCK], at % BLOCK] for at in range(branches.length)] == histories[row]
