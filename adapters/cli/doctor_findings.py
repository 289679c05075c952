"""What `gander doctor` finds, a line each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `remedy` says what to do; `missing` means that Gander won't work without."""

    what: str
    found: str
    remedy: str = ""
    missing: bool = False
