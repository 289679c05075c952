"""Where machine code is kept, so that it is compiled once a machine and once a version. No torch."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path


def cache_folder() -> Path | None:
    """A folder in the data folder; None where there is no data folder: then numba chooses one itself."""
    home = os.environ.get("GANDER_HOME")
    return Path(home) / "engine" / "kernels" / sources_version() if home else None


def sources_version() -> str:
    """A digest of the CPU kernels' sources: numba itself compares only the file that a function is in, not those that it calls."""
    sources = sorted((Path(__file__).parent / "cpu").glob("*.py"))
    return sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
