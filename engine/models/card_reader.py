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
    except FileNotFoundError:
        if is_pretrained(folder):
            return pretrained_card(folder)
        raise ModelError(f"{folder} is no ready model folder: it has no {CARD_NAME}. `gander model list` shows what there is.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = f" ({'.'.join(map(str, first['loc']))})" if first["loc"] else ""
        raise ModelError(f"{path} is damaged or of a newer version: {first['msg']}{where}.") from None
