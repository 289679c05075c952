"""Decides what each step does: which requests are admitted, which pieces of prompts are read, which rows write a token.

No tensor is touched here: the scheduler decides and the model runner computes. A request is admitted once all that it could
ever need is free, blocks for its prompt and the longest answer of every row, so that nothing admitted is ever evicted. First
come, first served: a large request at the head of the queue is waited for.
"""

from __future__ import annotations

from collections import abc, deque
from dataclasses import dataclass

from engine.core.beam_group import BeamGroup
from engine.core.sequences import SampledGroup, Sequence, SequenceGroup
from engine.kv_cache.block_pool import BLOCK, BlockPool, digests


@dataclass(frozen=True)
class ScheduledChunk:
    """Prompt tokens `start` … `end`-1 of a group, to be read in one pass."""

    group: SequenceGroup
    start: int
    end: int


@dataclass(frozen=True)
class SchedulerOutput:
    """What one step does, in this order. Rows and searches may belong to prompts that this step's chunks complete."""

    admitted: list[SequenceGroup]  # they have slots and blocks now; their prompts are to be embedded
    chunks: list[ScheduledChunk]  # one pass over prompts
    sequences: list[Sequence]  # rows that write one token
    searches: list[BeamGroup]  # beam searches that go one token further


class Scheduler:
    """Schedules over a `pool` of blocks and as many `slots` as a batch has rows.

    One pass reads at most `budget` prompt tokens, which bounds how long the streams of others stand still.
    """

    def __init__(self, pool: BlockPool, slots: int, budget: int) -> None:
        self.pool, self.budget, self.full_budget = pool, budget, budget
        self.capacity = (pool.available, slots)
        self.free_slots = list(range(slots - 1, -1, -1))
        self.waiting: deque[SequenceGroup] = deque()
        self.running: list[SequenceGroup] = []  # admitted, oldest first

    def fits(self, group: SequenceGroup) -> bool:
        """Whether an empty engine could run it."""
        blocks, slots = self.capacity
        return group.blocks <= blocks and group.rows <= slots

    def add(self, group: SequenceGroup) -> None:
        """Queues a group whose prompt is known and that fits."""
        self.waiting.append(group)

    def schedule(self) -> SchedulerOutput:
        """What the next step does. What is admitted has its slots and blocks from here on."""
        admitted = self._admit()
        chunks = self._chunks()
        completed = {id(chunk.group) for chunk in chunks if chunk.end == len(chunk.group.keys)}
        decoding = [group for group in self.running if group.prefilled or id(group) in completed]
        return SchedulerOutput(
            admitted,
            chunks,
            [
                sequence
                for group in decoding
                if isinstance(group, SampledGroup)
                for sequence in group.sequences
                if sequence.decodes(after_first=not group.prefilled)
            ],
            [group for group in decoding if isinstance(group, BeamGroup)],
        )

    def prefilled(self, chunk: ScheduledChunk) -> None:
        """The chunk is in the cache: other requests may share the blocks that it filled."""
        group = chunk.group
        group.computed = chunk.end
        self.pool.register(group.tables[0], group.chain[: chunk.end // BLOCK])

    def shrink(self) -> bool:
        """Halves the prompt tokens of a pass, where memory has no room for more; False if they can't be fewer."""
        smaller = max(BLOCK, self.budget // 2)
        shrunk, self.budget = smaller < self.budget, smaller
        return shrunk

    def recover(self) -> None:
        """A pass had room: the next may be twice as large again."""
        self.budget = min(self.full_budget, 2 * self.budget)

    def finish(self, group: SequenceGroup) -> None:
        """Ends a waiting or running group and gives back its slots and blocks. What it wrote stays findable for a follow-up."""
        if group not in self.running:
            if group in self.waiting:
                self.waiting.remove(group)
            return
        self.running.remove(group)
        for table, ids in zip(group.tables, group.cached_ids, strict=False):
            self.pool.register(table, digests([*group.keys, *ids], group.root))
        self.free_slots += reversed(group.slots)
        self.pool.free(group.tables[0])
        for table in group.tables[1:]:
            self.pool.free(table[group.full_blocks :])

    def _admit(self) -> list[SequenceGroup]:
        """The first of the waiting groups, as far as there is room, with slots and blocks given to them."""
        admitted = []
        while self.waiting and self._allocate(self.waiting[0]):
            group = self.waiting.popleft()
            self.running.append(group)
            admitted.append(group)
        return admitted

    def _allocate(self, group: SequenceGroup) -> bool:
        known = self.pool.match(group.chain[: (len(group.keys) - 1) // BLOCK])  # the last token is always read: its logits are wanted
        idle = sum(block in self.pool.idle for block in known)
        if group.rows > len(self.free_slots) or group.blocks - len(known) > self.pool.available - idle:
            return False
        self.pool.share(known)
        fresh = self.pool.allocate(group.blocks - len(known))
        prompt, own = known + fresh[: group.full_blocks - len(known)], fresh[group.full_blocks - len(known) :]
        group.tables = [prompt + own[row * group.own_blocks : (row + 1) * group.own_blocks] for row in range(group.rows)]
        group.slots = [self.free_slots.pop() for _ in range(group.rows)]
        group.computed = group.reused = len(known) * BLOCK
        return True

    def _chunks(self) -> list[ScheduledChunk]:
        """One pass over prompts, which share the budget evenly, so that a short one is read at once beside a long one.

        What a prompt leaves of its share goes to longer ones. Chunks are in the order in which their groups were admitted.
        """
        unread = [group for group in self.running if not group.prefilled]
        ends = self._shares(sorted(unread, key=lambda group: len(group.keys) - group.computed))
        return [ScheduledChunk(group, group.computed, ends[id(group)]) for group in unread if ends[id(group)] > group.computed]

    def _shares(self, shortest_first: abc.Sequence[SequenceGroup]) -> dict[int, int]:
        """How far each prompt is read in the next pass, by the group's `id()`: in whole blocks, for a device reads no fewer at a time."""
        left, ends = max(1, self.budget // BLOCK), dict[int, int]()  # a budget that memory shrank still takes a block
        for sharing, group in zip(range(len(shortest_first), 0, -1), shortest_first, strict=True):
            ends[id(group)] = min(len(group.keys), group.computed + -(-left // sharing) * BLOCK)
            left -= -(-(ends[id(group)] - group.computed) // BLOCK)
        return ends
