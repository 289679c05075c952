"""Where machine code is kept, so that it is compiled once a machine and once a version. No torch."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path


def kept_in() -> Path | None:
    """A folder in the data folder; None without one, where numba chooses: beside the sources, or in the user's cache."""
    home = os.environ.get("GANDER_HOME")
    return Path(home) / "engine" / "kernels" / version() if home else None


def version() -> str:
    """Of this package's sources: numba itself looks at the one file that a function stands in, not at what that calls."""
    sources = sorted((Path(__file__).parent / "cpu").glob("*.py"))
    return sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
