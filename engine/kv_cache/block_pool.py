"""Bookkeeping of the KV cache's blocks: allocate, share, free, and find cached prefixes again. No torch.

A block holds the keys and values of BLOCK tokens of one sequence. A full block can be registered under a digest of all
tokens up to its end, so that a follow-up, or another question with the same beginning, reuses it instead of computing it
again. Unused blocks stay registered until they are needed for something else, the least recently used first.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence

BLOCK = 16  # tokens

Key = int | tuple[str, int]  # a token of text by its id, of a picture by the picture's sha256 and its place in it


def digests(keys: Sequence[Key], root: str) -> list[bytes]:
    """A digest for each full block, over all keys up to its end. Equal keys have equal digests only under the same `root`.

    Cryptographic, because a collision would show one conversation to another.
    """
    digest, chain = root.encode(), []
    for start in range(0, len(keys) - BLOCK + 1, BLOCK):
        digest = hashlib.sha256(digest + repr(tuple(keys[start : start + BLOCK])).encode()).digest()
        chain.append(digest)
    return chain


class BlockPool:
    """`count` blocks, numbered from `first`. A block is free, in use (by one sequence or several), or idle: unused but registered."""

    def __init__(self, count: int, first: int = 0) -> None:
        self.free_blocks = list(range(first + count - 1, first - 1, -1))
        self.users: dict[int, int] = {}  # of each block in use
        self.idle: OrderedDict[int, None] = OrderedDict()  # least recently used first
        self.digest_of: dict[int, bytes] = {}
        self.block_of: dict[bytes, int] = {}

    @property
    def available(self) -> int:
        """How many blocks `allocate` could return: free and idle ones."""
        return len(self.free_blocks) + len(self.idle)

    def allocate(self, count: int) -> list[int]:
        """Takes `count` blocks, at most `available`, for one user each."""
        blocks = [self.free_blocks.pop() if self.free_blocks else self._forget_oldest() for _ in range(count)]
        self.users.update(dict.fromkeys(blocks, 1))
        return blocks

    def share(self, blocks: Iterable[int]) -> None:
        """Adds a user to each block."""
        for block in blocks:
            self.idle.pop(block, None)
            self.users[block] = self.users.get(block, 0) + 1

    def free(self, blocks: Iterable[int]) -> None:
        """Removes a user from each block. `blocks` are in the sequence's order, so that its end is reused before its beginning."""
        for block in reversed(list(blocks)):
            self.users[block] -= 1
            if self.users[block] == 0:
                del self.users[block]
                if block in self.digest_of:
                    self.idle[block] = None
                else:
                    self.free_blocks.append(block)

    def register(self, blocks: Sequence[int], chain: Sequence[bytes]) -> None:
        """Registers blocks in use under the digests of `chain`; digests that are registered already keep their block."""
        for block, digest in zip(blocks, chain, strict=False):
            if digest not in self.block_of and block not in self.digest_of:
                self.block_of[digest], self.digest_of[block] = block, digest

    def match(self, chain: Sequence[bytes]) -> list[int]:
        """The registered blocks of the longest prefix of `chain`. They may be idle: `share` them before anything is allocated."""
        found = []
        for digest in chain:
            if digest not in self.block_of:
                break
            found.append(self.block_of[digest])
        return found

    def forget(self) -> list[int]:
        """Registers nothing any more: what was found again is computed anew → the blocks that nobody uses, whatever they hold."""
        self.block_of.clear()
        self.digest_of.clear()
        self.free_blocks += self.idle
        self.idle.clear()
        return list(self.free_blocks)

    def _forget_oldest(self) -> int:
        block, _ = self.idle.popitem(last=False)
        del self.block_of[self.digest_of.pop(block)]
        return block
