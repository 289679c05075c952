"""The scheduler under random arrivals and cancels: no block is lost, none has two owners, and nobody is passed over."""

from __future__ import annotations

from collections import Counter, abc

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.core.scheduler import ScheduledChunk, Scheduler
from engine.core.sequences import SampledGroup, Sequence, SequenceGroup
from engine.kv_cache.block_pool import BLOCK, BlockPool, Key
from tests.engine.core.groups import group_of

BLOCKS, SLOTS, BUDGET = 24, 5, 40


prompts = st.one_of(
    st.integers(1, 100).map(lambda length: list(range(length))),  # prefixes of each other
    st.lists(st.integers(0, 3), min_size=1, max_size=60),
)


class Schedules(RuleBasedStateMachine):
    """Requests arrive, are read, answered, cancelled; `writers` says who computed what a block holds."""

    def __init__(self) -> None:
        super().__init__()
        self.scheduler = Scheduler(BlockPool(BLOCKS), SLOTS, BUDGET)
        self.arrived: list[SequenceGroup] = []
        self.admitted: list[SequenceGroup] = []
        self.held: dict[int, tuple[Key, ...]] = {}  # what was written into each block, as the keys up to its end

    @rule(keys=prompts, rows=st.integers(1, 4), max_tokens=st.integers(1, 40))
    def arrive(self, keys: list[int], rows: int, max_tokens: int) -> None:
        group = group_of(keys, rows, max_tokens)
        if self.scheduler.fits(group):
            self.scheduler.add(group)
            self.arrived.append(group)

    @rule(room=st.booleans())
    def step(self, room: bool) -> None:
        """Without `room` the device has no memory for the pass over prompts, which is scheduled anew then."""
        schedule = self.scheduler.schedule()
        self.admitted += schedule.admitted
        for group in schedule.admitted:
            assert len(group.tables) == len(group.slots) == group.rows
            for at, block in enumerate(group.tables[0][: group.reused // BLOCK]):
                assert self.held[block] == tuple(group.keys[: (at + 1) * BLOCK])  # what is taken over is what would be computed
            self.held = {block: keys for block, keys in self.held.items() if block not in group.tables[0][group.reused // BLOCK :]}
        assert sum(chunk.end - chunk.start for chunk in schedule.chunks) <= BUDGET
        assert bool(schedule.chunks) == any(not group.prefilled for group in self.scheduler.running)
        complete = [chunk.group for chunk in schedule.chunks if chunk.end == len(chunk.group.keys)]
        ready = [group for group in self.scheduler.running if group.prefilled or (group in complete and group.max_tokens > 1)]
        assert {sequence.group for sequence in schedule.sequences} == set(ready)
        assert len(schedule.sequences) == sum(group.rows for group in ready)
        for chunk in schedule.chunks if room else ():
            self.scheduler.prefilled(chunk)
            for at in range(chunk.start // BLOCK, chunk.end // BLOCK):
                self.held[chunk.group.tables[0][at]] = tuple(chunk.group.keys[: (at + 1) * BLOCK])

    @precondition(lambda self: any(group.prefilled for group in self.scheduler.running))
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        group = data.draw(st.sampled_from([group for group in self.scheduler.running if group.prefilled]))
        assert isinstance(group, SampledGroup)
        for table, sequence in zip(group.tables, group.sequences, strict=True):
            ids = data.draw(st.lists(st.integers(0, 3), max_size=group.max_tokens))
            write(sequence, ids)
            keys = (*group.keys, *ids)
            for at in range(len(group.keys) // BLOCK, len(keys) // BLOCK):
                self.held[table[at]] = keys[: (at + 1) * BLOCK]
        self.scheduler.finish(group)

    @precondition(lambda self: self.scheduler.waiting or self.scheduler.running)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        group = data.draw(st.sampled_from([*self.scheduler.waiting, *self.scheduler.running]))
        self.scheduler.finish(group)
        if group in self.arrived and group not in self.admitted:
            self.arrived.remove(group)

    @invariant()
    def every_block_is_free_or_used_or_idle_and_counted(self) -> None:
        pool = self.scheduler.pool
        users = Counter(block for group in self.scheduler.running for block in {block for table in group.tables for block in table})
        assert pool.users == users
        assert sorted([*pool.free_blocks, *pool.users, *pool.idle]) == list(range(BLOCKS))
        assert {digest: block for block, digest in pool.digest_of.items()} == pool.block_of

    @invariant()
    def no_row_writes_where_another_reads(self) -> None:
        own = [block for group in self.scheduler.running for table in group.tables for block in table[group.full_blocks :]]
        assert len(own) == len(set(own))

    @invariant()
    def every_slot_is_free_or_has_one_row(self) -> None:
        taken = [slot for group in self.scheduler.running for slot in group.slots]
        assert sorted(taken + self.scheduler.free_slots) == list(range(SLOTS))

    @invariant()
    def first_come_first_served(self) -> None:
        assert self.admitted == self.arrived[: len(self.admitted)]

    def teardown(self) -> None:
        for group in [*self.scheduler.waiting, *self.scheduler.running]:
            self.scheduler.finish(group)
        assert self.scheduler.pool.available == BLOCKS
        assert len(self.scheduler.free_slots) == SLOTS


Schedules.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


TestSchedules = Schedules.TestCase


def write(sequence: Sequence, ids: abc.Sequence[int]) -> None:
    """The sequence has these ids in the cache, and one more that is not there yet."""
    sequence.ids, sequence.launched = [*ids, 9], len(ids) + 1


def read(scheduler: Scheduler) -> list[ScheduledChunk]:
    """One step whose chunks are read."""
    chunks = scheduler.schedule().chunks
    for chunk in chunks:
        scheduler.prefilled(chunk)
    return chunks


def test_a_follow_up_reads_only_what_is_new() -> None:
    scheduler = Scheduler(BlockPool(BLOCKS), SLOTS, 1000)
    first = group_of(range(40), 1, 30)
    scheduler.add(first)
    read(scheduler)
    write(first.sequences[0], range(40, 60))
    scheduler.finish(first)
    follow_up = group_of(range(70), 1, 10)
    scheduler.add(follow_up)
    assert [(chunk.start, chunk.end) for chunk in read(scheduler)] == [(48, 70)]
    assert follow_up.reused == 48  # 60 were kept, 3 full blocks of them


def test_a_short_prompt_is_read_at_once_beside_long_ones() -> None:
    scheduler = Scheduler(BlockPool(400), 4, 128)
    long, longer, short = group_of(range(2000), 1, 8), group_of(range(1, 3000), 1, 8), group_of(range(7, 47), 1, 8)
    for group in (long, longer, short):
        scheduler.add(group)
    assert [(chunk.group, chunk.end) for chunk in read(scheduler)] == [(long, 48), (longer, 32), (short, 40)]
    assert short.prefilled
    assert [chunk.end - chunk.start for chunk in read(scheduler)] == [64, 64]


def test_no_part_of_the_budget_is_left_over_while_there_is_something_to_read() -> None:
    scheduler = Scheduler(BlockPool(400), 8, 128)
    for length in (5, 6, 300, 7, 90):
        scheduler.add(group_of([length] * length, 1, 8))
    assert sum(-(-(chunk.end - chunk.start) // BLOCK) for chunk in read(scheduler)) == 128 // BLOCK
