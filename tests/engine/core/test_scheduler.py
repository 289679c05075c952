"""The scheduler under random arrivals and cancels: no block is lost, none has two owners, and nobody is passed over."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.core.scheduler import Scheduler, Task
from engine.kv_cache.block_pool import BLOCK, BlockPool, Key, digests

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
        self.arrived: list[Task] = []
        self.admitted: list[Task] = []
        self.held: dict[int, tuple[Key, ...]] = {}  # what was written into each block, as the keys up to its end

    @rule(keys=prompts, rows=st.integers(1, 4), max_tokens=st.integers(1, 40))
    def arrive(self, keys: list[int], rows: int, max_tokens: int) -> None:
        task = Task(keys, rows, max_tokens)
        if self.scheduler.fits(task):
            self.scheduler.add(task)
            self.arrived.append(task)

    @rule()
    def admit(self) -> None:
        admitted = self.scheduler.admit()
        self.admitted += admitted
        for task in admitted:
            assert len(task.tables) == len(task.slots) == task.rows
            for at, block in enumerate(task.tables[0][: task.reused // BLOCK]):
                assert self.held[block] == tuple(task.keys[: (at + 1) * BLOCK])  # what is taken over is what would be computed
            self.held = {block: keys for block, keys in self.held.items() if block not in task.tables[0][task.reused // BLOCK :]}

    @rule()
    def read(self) -> None:
        chunks = self.scheduler.chunks()
        assert sum(chunk.end - chunk.start for chunk in chunks) <= BUDGET
        assert bool(chunks) == any(not task.prefilled for task in self.scheduler.running)
        for chunk in chunks:
            self.scheduler.read(chunk)
            for at in range(chunk.start // BLOCK, chunk.end // BLOCK):
                self.held[chunk.task.tables[0][at]] = tuple(chunk.task.keys[: (at + 1) * BLOCK])

    @precondition(lambda self: any(task.prefilled for task in self.scheduler.running))
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        task = data.draw(st.sampled_from([task for task in self.scheduler.running if task.prefilled]))
        answers = [data.draw(st.lists(st.integers(0, 3), max_size=task.max_tokens)) for _ in range(task.rows)]
        for table, ids in zip(task.tables, answers, strict=True):
            keys = (*task.keys, *ids)
            for at in range(len(task.keys) // BLOCK, len(keys) // BLOCK):
                self.held[table[at]] = keys[: (at + 1) * BLOCK]
        self.scheduler.finish(task, answers)

    @precondition(lambda self: self.scheduler.waiting or self.scheduler.running)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        task = data.draw(st.sampled_from([*self.scheduler.waiting, *self.scheduler.running]))
        self.scheduler.finish(task)
        if task in self.arrived and task not in self.admitted:
            self.arrived.remove(task)

    @invariant()
    def every_block_is_free_or_used_or_idle_and_counted(self) -> None:
        pool = self.scheduler.pool
        users = Counter(block for task in self.scheduler.running for block in {block for table in task.tables for block in table})
        assert pool.users == users
        assert sorted([*pool.free_blocks, *pool.users, *pool.idle]) == list(range(BLOCKS))
        assert {digest: block for block, digest in pool.digest_of.items()} == pool.block_of

    @invariant()
    def no_row_writes_where_another_reads(self) -> None:
        own = [block for task in self.scheduler.running for table in task.tables for block in table[task.shared :]]
        assert len(own) == len(set(own))

    @invariant()
    def every_slot_is_free_or_has_one_row(self) -> None:
        taken = [slot for task in self.scheduler.running for slot in task.slots]
        assert sorted(taken + self.scheduler.free_slots) == list(range(SLOTS))

    @invariant()
    def first_come_first_served(self) -> None:
        assert self.admitted == self.arrived[: len(self.admitted)]

    def teardown(self) -> None:
        for task in [*self.scheduler.waiting, *self.scheduler.running]:
            self.scheduler.finish(task)
        assert self.scheduler.pool.available == BLOCKS
        assert len(self.scheduler.free_slots) == SLOTS


Schedules.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestSchedules = Schedules.TestCase


@given(length=st.integers(0, 70), other=st.integers(0, 70))
def test_a_digest_stands_for_all_that_came_before(length: int, other: int) -> None:
    keys = list(range(70))
    changed = [*keys[:other], -1, *keys[other + 1 :]]
    same = sum(a == b for a, b in zip(digests(keys[:length], "x"), digests(changed[:length], "x"), strict=True))
    assert same == min(length, other) // BLOCK
    assert not set(digests(keys, "x")) & set(digests(keys, "y"))


def test_a_follow_up_reads_only_what_is_new() -> None:
    scheduler = Scheduler(BlockPool(BLOCKS), SLOTS, 1000)
    first = Task(list(range(40)), 1, 30)
    scheduler.add(first)
    scheduler.admit()
    for chunk in scheduler.chunks():
        scheduler.read(chunk)
    scheduler.finish(first, [list(range(40, 60))])
    follow_up = Task(list(range(70)), 1, 10)
    scheduler.add(follow_up)
    scheduler.admit()
    assert follow_up.reused == 48  # 60 were kept, 3 full blocks of them
    assert [(chunk.start, chunk.end) for chunk in scheduler.chunks()] == [(48, 70)]


def test_a_short_prompt_is_read_at_once_beside_long_ones() -> None:
    scheduler = Scheduler(BlockPool(400), 4, 128)
    long, longer, short = Task(list(range(2000)), 1, 8), Task(list(range(1, 3000)), 1, 8), Task(list(range(7, 47)), 1, 8)
    for task in (long, longer, short):
        scheduler.add(task)
    scheduler.admit()
    chunks = scheduler.chunks()
    assert [(chunk.task, chunk.end) for chunk in chunks] == [(long, 44), (longer, 44), (short, 40)]
    for chunk in chunks:
        scheduler.read(chunk)
    assert short.prefilled
    assert [chunk.end - chunk.start for chunk in scheduler.chunks()] == [64, 64]


def test_no_part_of_the_budget_is_left_over_while_there_is_something_to_read() -> None:
    scheduler = Scheduler(BlockPool(400), 8, 128)
    for length in (5, 6, 300, 7, 90):
        scheduler.add(Task([length] * length, 1, 8))
    scheduler.admit()
    assert sum(chunk.end - chunk.start for chunk in scheduler.chunks()) == 128


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
