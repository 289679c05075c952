"""Whose keys and values lie in which block of the cache: allocate, share, free, and find a known prefix again. No torch.

A block holds BLOCK tokens of one sequence. Full blocks can be known by a digest of everything up to their end, so that
a follow-up, or another question with the same beginning, takes them over instead of computing them. What nobody uses
stays findable until its block is needed: the least recently used goes first.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence

BLOCK = 16  # tokens

Key = int | tuple[str, int]  # a token of text by its id, of a picture by the picture's sha256 and its place in it


def digests(keys: Sequence[Key], root: str) -> list[bytes]:
    """One a full block, each over all keys up to the block's end. `root` sets apart what equal keys would not make equal.

    Cryptographic, because a collision would show one conversation to another.
    """
    digest, chain = root.encode(), []
    for start in range(0, len(keys) - BLOCK + 1, BLOCK):
        digest = hashlib.sha256(digest + repr(tuple(keys[start : start + BLOCK])).encode()).digest()
        chain.append(digest)
    return chain


class BlockPool:
    """`count` blocks, numbered from `first`. Every block is free, used by somebody, or idle: unused but still known."""

    def __init__(self, count: int, first: int = 0) -> None:
        self.free_blocks = list(range(first + count - 1, first - 1, -1))
        self.users: dict[int, int] = {}  # of each block in use
        self.idle: OrderedDict[int, None] = OrderedDict()  # least recently used first
        self.digest_of: dict[int, bytes] = {}
        self.block_of: dict[bytes, int] = {}

    @property
    def available(self) -> int:
        """How many blocks `allocate` could give."""
        return len(self.free_blocks) + len(self.idle)

    def allocate(self, count: int) -> list[int]:
        """`count` blocks for one user each; at most `available`."""
        blocks = [self.free_blocks.pop() if self.free_blocks else self._forget_oldest() for _ in range(count)]
        self.users.update(dict.fromkeys(blocks, 1))
        return blocks

    def share(self, blocks: Iterable[int]) -> None:
        """One more user of each."""
        for block in blocks:
            self.idle.pop(block, None)
            self.users[block] = self.users.get(block, 0) + 1

    def free(self, blocks: Iterable[int]) -> None:
        """One user less of each. Give them in the sequence's order: its end is forgotten before its beginning."""
        for block in reversed(list(blocks)):
            self.users[block] -= 1
            if self.users[block] == 0:
                del self.users[block]
                if block in self.digest_of:
                    self.idle[block] = None
                else:
                    self.free_blocks.append(block)

    def register(self, blocks: Sequence[int], chain: Sequence[bytes]) -> None:
        """These blocks in use now hold what the digests say; what is known already stays where it is."""
        for block, digest in zip(blocks, chain, strict=False):
            if digest not in self.block_of and block not in self.digest_of:
                self.block_of[digest], self.digest_of[block] = block, digest

    def match(self, chain: Sequence[bytes]) -> list[int]:
        """The blocks of the longest known prefix. They may be idle: `share` them before anything else is allocated."""
        found = []
        for digest in chain:
            if digest not in self.block_of:
                break
            found.append(self.block_of[digest])
        return found

    def _forget_oldest(self) -> int:
        block, _ = self.idle.popitem(last=False)
        del self.block_of[self.digest_of.pop(block)]
        return block
