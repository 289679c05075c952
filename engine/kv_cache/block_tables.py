"""The beams' block tables in a beam search: beams share the blocks of their common past, and copy one when they write to it. No torch.

A search needs at most the blocks of beams that share nothing, which is what the scheduler allocated; this only moves them.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.kv_cache.block_pool import BLOCK


class BeamBlockTables:
    """The rows' tables after a prompt of `length` tokens, of which `tables` (equal up to each row's own) are the blocks."""

    def __init__(self, tables: Sequence[Sequence[int]], length: int) -> None:
        filled = -(-length // BLOCK)
        self.length = length  # tokens that every row holds
        self.tables = [list(tables[0][:filled]) for _ in tables]  # one prompt, read into the first row's blocks
        self.spare = [block for table in tables for block in table if block not in self.tables[0]]

    def fork(self, parents: Sequence[int]) -> list[tuple[int, int]]:
        """Row i goes on as what row `parents[i]` was, and every row gets room for one more token.

        Returns (from, to): blocks that are to be copied before the next step.
        """
        before = {block for table in self.tables for block in table}
        self.tables = [list(self.tables[parent]) for parent in parents]
        alive = {block for table in self.tables for block in table}
        self.spare += sorted(before - alive)
        copies: list[tuple[int, int]] = []
        writers: set[int] = set()
        for table in self.tables:
            if self.length % BLOCK == 0:
                table.append(self.spare.pop())
            elif table[-1] in writers:
                copies.append((table[-1], self.spare.pop()))
                table[-1] = copies[-1][1]
            else:
                writers.add(table[-1])
        return copies

    def advance(self) -> None:
        """Every row wrote one token."""
        self.length += 1
