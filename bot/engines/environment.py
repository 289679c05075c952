"""The environment of the engine's processes: all of ours but secrets, since they handle strangers' pictures and run others' models."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

# Ours all begin so; what else holds a secret is told by its name, or is an address with a password in it.
OURS: Final = "GANDER_"
SECRET: Final = re.compile(
    r"TOKEN(?!IZERS)|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|(?:API|ACCESS|PRIVATE|SIGNING|ENCRYPTION)_?KEY|_(?:KEY|PAT|DSN)$"
)
ADDRESS: Final = re.compile(r"\w://[^/@\s]*:[^/@\s]+@")


def engine_environment(home: Path, key: str = "", environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """For a process that answers or plans: `home` is the data folder, `key` the one of its own that it asks clients for."""
    passed = {name: value for name, value in environ.items() if not is_secret(name, value)}
    return passed | {"GANDER_HOME": str(home)} | ({"GANDER_ENGINE_KEY": key} if key else {})


def is_secret(name: str, value: str) -> bool:
    return name.upper().startswith(OURS) or SECRET.search(name.upper()) is not None or ADDRESS.search(value) is not None
