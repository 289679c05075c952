"""Watches that nothing holds up the event loop: how long its longest callback computed, in its thread's own time.

The time of day would count, too, how long other processes of a busy machine had the processor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import thread_time

import pytest


@dataclass
class Longest:
    """The callback that took longest. `seconds` of CPU."""

    seconds: float = 0.0
    callback: str = ""


@contextmanager
def watching_loop() -> Iterator[Longest]:
    """What the loop of this thread runs inside the block is timed."""
    longest, run = Longest(), asyncio.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        begun = thread_time()
        run(handle)
        if (taken := thread_time() - begun) > longest.seconds:
            longest.seconds, longest.callback = taken, repr(handle)[:300]

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(asyncio.Handle, "_run", timed)
        yield longest
