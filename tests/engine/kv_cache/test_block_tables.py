"""Beams over shared blocks hold exactly what beams with blocks of their own would."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.core.scheduler import Scheduler
from engine.kv_cache.block_pool import BLOCK, BlockPool
from engine.kv_cache.block_tables import BeamBlockTables
from tests.engine.core.groups import group_of


@given(length=st.integers(1, 40), rows=st.integers(1, 6), steps=st.integers(1, 50), data=st.data())
def test_every_beam_reads_its_own_past(length: int, rows: int, steps: int, data: st.DataObject) -> None:
    group = group_of(range(length), rows, steps)
    scheduler = Scheduler(BlockPool(group.blocks), rows, length)
    scheduler.add(group)
    assert scheduler.schedule().admitted == [group]
    beam_tables = BeamBlockTables(group.tables, length)
    memory = {(block, place): -1 for table in group.tables for block in table for place in range(BLOCK)}
    for at in range(length):
        memory[group.tables[0][at // BLOCK], at % BLOCK] = at
    histories = [list(range(length))] * rows
    for step in range(steps):
        parents = data.draw(st.lists(st.integers(0, rows - 1), min_size=rows, max_size=rows))
        histories = [[*histories[parent], 1000 * step + row] for row, parent in enumerate(parents)]
        for source, target in beam_tables.fork(parents):
            memory |= {(target, place): memory[source, place] for place in range(BLOCK)}
        for row, table in enumerate(beam_tables.tables):
            memory[table[beam_tables.length // BLOCK], beam_tables.length % BLOCK] = histories[row][-1]
        beam_tables.advance()
        for row, table in enumerate(beam_tables.tables):
            assert [memory[table[at // BLOCK], at % BLOCK] for at in range(beam_tables.length)] == histories[row]
