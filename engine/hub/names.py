"""What a person calls a model: a short name of ours, `owner/name[@revision]` of a hub, or the address of its page."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, TypeAdapter

from engine.errors import DownloadError

PAGE = re.compile(
    r"https?://[^/]+/(?P<kind>spaces/|datasets/)?(?P<name>[\w.-]+/[\w.-]+)(?:/(?:tree|blob|resolve)/(?P<revision>[\w.-]+).*)?/?"
)
REPOSITORY = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")


class Entry(BaseModel):
    """One line of the catalogue. `parameters` in billions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str
    makers: str
    licence: str
    parameters: float


@dataclass(frozen=True)
class Wanted:
    """A repository of a hub, at a branch, tag or commit; None = its main branch."""

    repository: str
    revision: str | None = None
    alias: str = ""

    @property
    def name(self) -> str:
        """What its model is called here."""
        return self.alias or self.repository.partition("/")[2]


@cache
def catalogue() -> dict[str, Entry]:
    """By short name."""
    return TypeAdapter(dict[str, Entry]).validate_python(tomllib.loads(files("engine.hub").joinpath("catalogue.toml").read_text("utf-8")))


def wanted(said: str, revision: str | None = None) -> Wanted | None:
    """What `said` names on a hub; None where it names nothing there. Raises DownloadError for a page that holds no model."""
    if entry := catalogue().get(said):
        return Wanted(entry.repository, revision, said)
    if page := PAGE.fullmatch(said):
        if page["kind"]:
            raise DownloadError(f"{said} is no model's page but one of {page['kind'].rstrip('/')}: give the model's owner/name.")
        return Wanted(page["name"], revision or page["revision"])
    if (found := REPOSITORY.fullmatch(said)) and not said.startswith("."):
        return Wanted(found["name"], revision or found["revision"])
    return None
