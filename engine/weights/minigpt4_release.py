"""What is known about MiniGPT-4's release: prompt template, generation defaults, licences. The data are in `vicuna.json`."""

from __future__ import annotations

from importlib.resources import files

from pydantic import BaseModel, ConfigDict

from engine.models.card import Generation, Template


class KnownPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    licence: str


class Release(BaseModel):
    """`vicuna.json`. `versions` maps the number of embedding rows to the Vicuna that has so many; `parts` are keyed by option name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    template: Template
    generation: Generation
    notice: str
    versions: dict[int, str]
    parts: dict[str, KnownPart]


def read_release() -> Release:
    return Release.model_validate_json(files("engine.weights").joinpath("vicuna.json").read_bytes())
