"""Reads what a model folder says of itself: Gander's own card, or the files of a hub's repository. No torch."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from engine.errors import ModelError
from engine.models.card import CARD_NAME, Card
from engine.models.pretrained_card import is_pretrained, pretrained_card


def is_ready(folder: Path) -> bool:
    """Whether there is a model in it."""
    return (folder / CARD_NAME).is_file() or is_pretrained(folder)


def read_card(folder: Path) -> Card:
    """The card of a ready folder. Raises ModelError that names the folder and the remedy."""
    path = folder / CARD_NAME
    try:
        return Card.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        if is_pretrained(folder):
            return pretrained_card(folder)
        if found := gguf_in(folder):
            raise gguf_instead(str(found)) from None
        raise ModelError(f"{folder} is no ready model folder: it has no {CARD_NAME}. `gander model list` shows what there is.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = f" ({'.'.join(map(str, first['loc']))})" if first["loc"] else ""
        raise ModelError(f"{path} is damaged or of a newer version: {first['msg']}{where}.") from None


def gguf_in(path: Path) -> Path | None:
    """A file of llama.cpp's, if `path` is one or a folder of such."""
    return path if path.suffix == ".gguf" and path.is_file() else next(iter(sorted(path.glob("*.gguf"))), None)


def gguf_instead(what: str) -> ModelError:
    return ModelError(
        f"{what} is in GGUF, the form of llama.cpp and Ollama, which is not read here. Take the makers' own repository, whose weights are "
        "safetensors: Gander quantises them while it loads. Or run llama.cpp's server, and give its address as engine.url."
    )
