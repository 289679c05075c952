"""What is known about MiniGPT-4's release: defaults, versions, licences, its prompt template."""

from __future__ import annotations

from importlib.resources import files

from pydantic import BaseModel, ConfigDict

from engine.models.card import Generation, Template


class KnownPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    licence: str


class Release(BaseModel):
    """`versions` maps the number of embedding rows to the Vicuna that has so many; `parts` are keyed by option name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    generation: Generation
    notice: str
    languages: tuple[str, ...]
    versions: dict[int, str]
    parts: dict[str, KnownPart]


def read_release() -> Release:
    return Release.model_validate_json(files("engine.weights").joinpath("minigpt4_release.json").read_bytes())


def read_template() -> Template:
    return Template.model_validate_json(files("engine.prompts.templates").joinpath("minigpt4.json").read_bytes())
