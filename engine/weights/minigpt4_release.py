"""What is known about the releases of MiniGPT-4 and its successors: defaults, versions, licences, their prompt templates."""

from __future__ import annotations

from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict

from engine.models.card import Generation, Template
from engine.weights.checkpoint import Kind


class KnownPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    licence: str


class Release(BaseModel):
    """`versions` maps the number of embedding rows to the language model that has so many; `parts` are keyed by option name; `image_size`
    in pixels; `folder` is what a model of it is called if nobody says otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    architecture: Literal["minigpt4", "minigpt_v2"]
    folder: str
    image_size: int
    generation: Generation
    notice: str
    languages: tuple[str, ...]
    versions: dict[int, str]
    parts: dict[str, KnownPart]


def read_release(kind: Kind = "minigpt4") -> Release:
    return Release.model_validate_json(files("engine.weights").joinpath(f"{kind}_release.json").read_bytes())


def read_template(kind: Kind = "minigpt4") -> Template:
    return Template.model_validate_json(files("engine.prompts.templates").joinpath(f"{kind}.json").read_bytes())
