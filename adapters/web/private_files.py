"""Files that the bot hands to one person on the page, at addresses that nobody can guess."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from pathlib import Path

KEPT = 500


class PrivateFiles:
    """The newest files, in memory: after a restart they are asked for again."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, tuple[str, Path]] = OrderedDict()

    def give(self, person: str, file: Path) -> str:
        """The address at which this person gets the file."""
        known = next((token for token, held in self._files.items() if held == (person, file)), None)
        token = known or secrets.token_urlsafe(16)
        self._files[token] = person, file
        if len(self._files) > KEPT:
            self._files.popitem(last=False)
        return f"/api/files/{token}/{file.name}"

    def find(self, person: str, token: str) -> Path | None:
        owner, file = self._files.get(token, ("", None))
        return file if owner == person else None
