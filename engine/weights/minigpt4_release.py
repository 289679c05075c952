"""What is known about the release's parts: template, defaults, licences. Data in `vicuna.json`, types here."""

from __future__ import annotations

from importlib.resources import files

from pydantic import BaseModel, ConfigDict

from engine.models.card import Generation, Template


class KnownPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    licence: str


class Release(BaseModel):
    """The whole file. `versions` goes from the number of embedding rows to the Vicuna that has them; `parts` by their options."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    template: Template
    generation: Generation
    notice: str
    versions: dict[int, str]
    parts: dict[str, KnownPart]


def read_release() -> Release:
    return Release.model_validate_json(files("engine.weights").joinpath("vicuna.json").read_bytes())
