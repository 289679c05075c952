"""Work in the background: beside a block of code, whose failure ends the block, or in a group that may be about to end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    """`work` goes on while this block does, and is cancelled after it. If it fails, the block is cancelled, and this raises its error."""
    try:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(work)
            yield
            task.cancel()
    except BaseExceptionGroup as group:
        # The work's error comes first: what else went wrong in the block did so because of it.
        raise group.exceptions[0] from group


def start(tasks: asyncio.TaskGroup, work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Begin `work` in a group; None and no work at all where the group is ending, as it is while a program stops."""
    try:
        return tasks.create_task(work)
    except RuntimeError:
        work.close()
        return None
