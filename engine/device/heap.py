"""Keeps the memory that this process holds near what it uses: glibc keeps what was freed, in a heap for each of many threads.

Elsewhere (musl, macOS) nothing is done, and nothing has to be.
"""

from __future__ import annotations

import ctypes
from typing import Final

M_MMAP_THRESHOLD: Final = -3  # of malloc.h
LARGE: Final = 8 << 20  # bytes: a decoded picture's blocks and a request's body are larger, what a model computes with on a CPU smaller


def return_large_blocks() -> None:
    """From now on blocks of LARGE bytes and more go back to the system when they are freed. By itself glibc moves that bound up to
    32 MiB once such a block was freed, and nine large pictures left half a gigabyte behind.
    """
    change = getattr(ctypes.CDLL(None), "mallopt", None)
    if change is not None:
        change(M_MMAP_THRESHOLD, LARGE)


def return_freed() -> None:
    """Hands back what lies freed in the heaps, as after loading a model. Takes some milliseconds."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
