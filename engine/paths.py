"""Where models lie: inside the data folder that whoever starts the engine hands over in GANDER_HOME."""

from __future__ import annotations

import os
from pathlib import Path

from engine.errors import ModelError
from engine.models.card import CARD_NAME
from engine.models.card_reader import is_ready


def home() -> Path:
    """The data folder. Raises ModelError where none was handed over."""
    folder = os.environ.get("GANDER_HOME")
    if not folder:
        raise ModelError("GANDER_HOME is not set. Use the `gander` command, which sets it, or set it to the data folder yourself.")
    return Path(folder)


def models() -> Path:
    return home() / "models"


def ready_models() -> list[Path]:
    """Folders of every model that is ready to load, by name. A hidden one is still being filled."""
    return sorted(card.parent for card in models().glob(f"[!.]*/{CARD_NAME}"))


def model_folder(name: str) -> Path:
    """`name` is a model in the data folder, or the path of a ready folder. Raises ModelError that says what there is."""
    for folder in (models() / name, Path(name)):
        if is_ready(folder):
            return folder
    ready = ", ".join(folder.name for folder in ready_models()) or "none yet"
    raise ModelError(f"There is no model {name!r} in {models()} (ready: {ready}). `gander model pull pocket` fetches the small one.")
