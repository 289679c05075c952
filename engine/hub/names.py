"""What a person calls a model: a short name of ours, `owner/name[@revision]` of a hub, or the address of its page."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from engine.errors import DownloadError

PAGE = re.compile(
    r"https?://[^/]+/(?P<kind>spaces/|datasets/|models/)?(?P<name>[\w.-]+/[\w.-]+?)(?:\.git)?"
    r"(?:/(?:tree|blob|resolve|raw|commit)/(?P<revision>[\w.-]+)[^?#]*|/discussions[^?#]*)?/?(?:[?#].*)?"
)
REPOSITORY = re.compile(r"(?P<kind>spaces/|models/)?(?P<name>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
Kind = Literal["model", "space"]
POCKET = "pocket"
MINIGPT4 = ("minigpt4-7b", "minigpt4-13b", "minigpt4-llama2-7b", "minigpt-v2-7b")
AUTO = "auto"  # what fits best here


class Entry(BaseModel):
    """One line of the catalogue. `parameters` in billions; `memory` in GB as 16 bit, int8 and 4 bit with 3,000 tokens of cache, by our
    own formula; `commit` may be short, and none = whatever is newest there. What is not `native` is answered by transformers' own code."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str
    makers: str
    licence: str
    parameters: float
    commit: str = Field(default="", pattern=r"([0-9a-f]{7,40})?")
    gated: bool = False
    memory: tuple[float, float, float] | None = None
    native: bool = True


@dataclass(frozen=True)
class Wanted:
    """A repository of a hub, at a branch, tag or commit; None = its main branch."""

    repository: str
    revision: str | None = None
    alias: str = ""
    kind: Kind = "model"

    @property
    def name(self) -> str:
        """What its model is called here."""
        return self.alias or self.repository.partition("/")[2]


def release_size(name: str) -> str:
    """`minigpt4-7b`, `7b` → `7b`; `minigpt-v2-7b` → `v2-7b`: the size of a model of `MINIGPT4`, as `release_shapes` wants it."""
    return name.lower().removeprefix("minigpt4-").removeprefix("minigpt-")


@cache
def catalogue() -> dict[str, Entry]:
    """By short name."""
    return TypeAdapter(dict[str, Entry]).validate_python(tomllib.loads(files("engine.hub").joinpath("catalogue.toml").read_text("utf-8")))


def can_be_fetched(said: str) -> bool:
    """Whether `gander model pull` knows what to do with it. Raises DownloadError for a page that holds no model."""
    return said in (POCKET, AUTO, *MINIGPT4) or wanted(said) is not None


def wanted(said: str, revision: str | None = None) -> Wanted | None:
    """What `said` names on a hub; None where it names nothing there. Raises DownloadError for a page that holds no model."""
    if entry := catalogue().get(said):
        return Wanted(entry.repository, revision or entry.commit or None, said)
    found = PAGE.fullmatch(said) or (None if said.startswith(".") else REPOSITORY.fullmatch(said))
    if found is None:
        return None
    if found["kind"] == "datasets/":
        raise DownloadError(f"{said} is no model's page but a data set's: give the model's owner/name.")
    return Wanted(found["name"], revision or found["revision"], kind="space" if found["kind"] == "spaces/" else "model")
