"""Which rows run in the next step: admit, prefill, decode, finish. No torch: the scheduler decides and the runner computes.

A request is admitted once all that it could ever need is there, its prompt and longest answer for every row, so that
nothing admitted is ever put out again. First come, first served: a large request at the head is waited for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.kv_cache.block_pool import BLOCK, BlockPool, Key, digests


@dataclass(eq=False)
class Task:
    """One request's rows: they share its prompt and go their own ways after it.

    After admission `tables` says for each row which block holds its tokens 16·i … 16·i+15: first the prompt's full blocks,
    shared by all rows, then the row's own.
    """

    keys: Sequence[Key]  # the prompt, a key a token
    rows: int
    max_tokens: int  # new ones, a row
    root: str = ""  # see `digests`
    chain: list[bytes] = field(init=False)
    computed: int = 0  # tokens of the prompt that are in the cache
    reused: int = 0  # of these, how many were found there
    slots: list[int] = field(default_factory=list)
    tables: list[list[int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chain = digests(self.keys, self.root)

    @property
    def shared(self) -> int:
        """Full blocks of the prompt."""
        return len(self.keys) // BLOCK

    @property
    def own(self) -> int:
        """Blocks that each row needs for the prompt's rest and its answer."""
        return -(-(len(self.keys) % BLOCK + self.max_tokens) // BLOCK)

    @property
    def blocks(self) -> int:
        """All that it could ever need."""
        return self.shared + self.rows * self.own

    @property
    def prefilled(self) -> bool:
        return self.computed == len(self.keys)


@dataclass(frozen=True)
class Chunk:
    """Prompt tokens `start` … `end`-1 of a task, read in one pass."""

    task: Task
    start: int
    end: int


class Scheduler:
    """`budget` is how many prompt tokens one pass reads: it bounds how long the others' streams stand still."""

    def __init__(self, pool: BlockPool, slots: int, budget: int) -> None:
        self.pool, self.budget, self.full_budget = pool, budget, budget
        self.capacity = (pool.available, slots)
        self.free_slots = list(range(slots - 1, -1, -1))
        self.waiting: deque[Task] = deque()
        self.running: list[Task] = []  # admitted, oldest first

    def fits(self, task: Task) -> bool:
        """Whether an empty engine could run it."""
        blocks, slots = self.capacity
        return task.blocks <= blocks and task.rows <= slots

    def add(self, task: Task) -> None:
        """`task` must fit."""
        self.waiting.append(task)

    def admit(self) -> list[Task]:
        """Those whose turn it is, with slots and blocks given to them."""
        admitted = []
        while self.waiting and self._place(self.waiting[0]):
            task = self.waiting.popleft()
            self.running.append(task)
            admitted.append(task)
        return admitted

    def shrink(self) -> bool:
        """Reads less a pass, where memory has no room for more; False if it can't be less."""
        smaller = max(BLOCK, self.budget // 2)
        shrunk, self.budget = smaller < self.budget, smaller
        return shrunk

    def recover(self) -> None:
        """A pass went well: the next may be larger again."""
        self.budget = min(self.full_budget, 2 * self.budget)

    def chunks(self) -> list[Chunk]:
        """The next pass over prompts, which share it evenly: a short one is read at once beside a long one.

        What a share leaves over goes to longer ones; the first pieces in the list are those of the oldest tasks.
        """
        unread = [task for task in self.running if not task.prefilled]
        left, ends = self.budget, dict[int, int]()
        for waiting, task in zip(range(len(unread), 0, -1), sorted(unread, key=lambda task: len(task.keys) - task.computed), strict=True):
            ends[id(task)] = min(len(task.keys), task.computed + -(-left // waiting))
            left -= ends[id(task)] - task.computed
        return [Chunk(task, task.computed, ends[id(task)]) for task in unread if ends[id(task)] > task.computed]

    def read(self, chunk: Chunk) -> None:
        """The chunk is in the cache: what it filled can be shared from now on."""
        task = chunk.task
        task.computed = chunk.end
        self.pool.register(task.tables[0], task.chain[: chunk.end // BLOCK])

    def finish(self, task: Task, answers: Sequence[Sequence[int]] = ()) -> None:
        """Ends a waiting or running task. `answers` are the ids that each row's own blocks hold after the prompt; they stay findable."""
        if task not in self.running:
            self.waiting.remove(task)
            return
        self.running.remove(task)
        for table, ids in zip(task.tables, answers, strict=False):
            self.pool.register(table, digests([*task.keys, *ids], task.root))
        self.free_slots += reversed(task.slots)
        self.pool.free(task.tables[0])
        for table in task.tables[1:]:
            self.pool.free(table[task.shared :])

    def _place(self, task: Task) -> bool:
        known = self.pool.match(task.chain[: (len(task.keys) - 1) // BLOCK])  # the last token is always read: its logits are wanted
        idle = sum(block in self.pool.idle for block in known)
        if task.rows > len(self.free_slots) or task.blocks - len(known) > self.pool.available - idle:
            return False
        self.pool.share(known)
        fresh = self.pool.allocate(task.blocks - len(known))
        prompt, own = known + fresh[: task.shared - len(known)], fresh[task.shared - len(known) :]
        task.tables = [prompt + own[row * task.own : (row + 1) * task.own] for row in range(task.rows)]
        task.slots = [self.free_slots.pop() for _ in range(task.rows)]
        task.computed = task.reused = len(known) * BLOCK
        return True
