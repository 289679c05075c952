"""Writes a file whole or not at all, also where several processes write the same one."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PART = ".part"  # ends the names of files that are not whole yet


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside `path` that nobody else writes to; it takes the place of `path` if the block succeeds, else it goes. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{secrets.token_hex(8)}{PART}")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
