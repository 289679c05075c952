"""Where models lie: in the data folder, which the `gander` command passes to the engine as GANDER_HOME."""

from __future__ import annotations

import os
from pathlib import Path

from engine.errors import ModelError
from engine.hub.names import can_be_fetched, wanted
from engine.models.card_reader import gguf_in, gguf_instead, is_ready
from engine.weights.weight_files import in_cache


def home() -> Path:
    """The data folder. Raises ModelError if GANDER_HOME is not set."""
    folder = os.environ.get("GANDER_HOME")
    if not folder:
        raise ModelError("GANDER_HOME is not set. Use the `gander` command, which sets it, or set it to the data folder yourself.")
    return Path(folder)


def models() -> Path:
    return home() / "models"


def ready_models() -> list[Path]:
    """Folders of every model that is ready to load, by name. A hidden one is still being filled."""
    return sorted(folder for folder in models().glob("[!.]*") if is_ready(folder))


def model_folder(name: str) -> Path:
    """`name` is a model in the data folder, by its own name, its short name or its repository's, or the path of a ready folder.

    Raises ModelError that says what there is.
    """
    asked = wanted(name)
    for folder in (models() / name, models() / (asked.name if asked else name), in_cache(Path(name))):
        if is_ready(folder):
            return folder
    if found := gguf_in(Path(name)):
        raise gguf_instead(str(found))
    raise no_model(name)


def no_model(name: str) -> ModelError:
    """Says what there is, and what fetches it or another."""
    ready = ", ".join(folder.name for folder in ready_models()) or "none yet"
    remedy = (
        f"`gander model pull {name}` fetches it."
        if can_be_fetched(name)
        else "`gander model list --all` shows what can be fetched, besides owner/name of a hub."
    )
    return ModelError(f"There is no model {name!r} in {models()} (ready: {ready}). {remedy}")
