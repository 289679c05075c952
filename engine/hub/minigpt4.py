"""`gander model pull minigpt4-7b`: fetches the parts of MiniGPT-4, or of a successor, each by its sum, and makes a ready model of them.

A part can be replaced: by a folder in which it lies, a file, another repository or an address. A source that is gone gives way to its copy.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from huggingface_hub import constants
from pydantic import BaseModel, ConfigDict, TypeAdapter

from engine.errors import DownloadError, ModelError
from engine.hub.download import download
from engine.hub.listing import look_up, told
from engine.hub.names import Wanted, wanted
from engine.hub.pull import check_space
from engine.models.card_reader import is_ready

if TYPE_CHECKING:
    from engine.weights.importing import Sources

Role = Literal["language", "projection", "qformer", "eye"]
OPTIONS: Mapping[Role, str] = {"language": "llama", "projection": "checkpoint", "qformer": "blip2", "eye": "vit"}
WITH_QFORMER = ("minigpt4-7b", "minigpt4-13b")
LANGUAGE_FILES = ("*.json", "*.model", "*.bin", "*.safetensors")


class PublicPart(BaseModel):
    """Where one part lies: a repository (all of it, or one `file`), or an address, of which the repository is a copy then."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    licence: str
    bytes: int
    sha256: tuple[str, ...] = ()
    repository: str = ""
    commit: str = ""
    file: str = ""
    url: str = ""
    page: str = ""  # where a person gets it with a browser: no program can


@dataclass(frozen=True)
class Fetching:
    """One part of one pull: the words that say what it is, the bytes that are not here, and how it comes."""

    role: Role
    words: str
    size: int
    fetch: Callable[[], Path]


Ask = Callable[[Sequence[str], int, Path], None]
"""Told the sentences of all parts, the bytes to fetch and the data folder; raises where a person does not want that."""


def public_parts(name: str) -> dict[Role, PublicPart]:
    """Of one of `engine.hub.names.MINIGPT4`, in the order of `OPTIONS`."""
    content = tomllib.loads(files("engine.hub").joinpath("minigpt4_parts.toml").read_text("utf-8"))
    eyes = {role: part for role, part in content["all"].items() if role != "qformer" or name in WITH_QFORMER}
    return TypeAdapter(dict[Role, PublicPart]).validate_python(content[name] | eyes)


def pull_minigpt4(
    name: str,
    home: Path,
    ask: Ask,
    progress: Callable[[int, int], None],
    given: Mapping[Role, str] | None = None,
    folder: Path | None = None,
    parts: Mapping[Role, PublicPart] | None = None,
) -> Path:
    """The ready folder `home`/models/`name`. `given` replaces a part's source, `folder` holds parts that are here already.

    Raises DownloadError, ModelError and WeightsError.
    """
    ready = home / "models" / name
    if is_ready(ready):
        return ready
    from engine.weights.importing import import_model

    known = parts or public_parts(name)
    here = parts_here(folder) if folder else {}
    whole = "blip2" in here and here["blip2"].is_dir()  # a copy of BLIP-2's repository holds the eye, too
    roles = [role for role in OPTIONS if role in known and not (role == "eye" and whole)]
    roles.sort(key=lambda role: not known[role].page)  # what no program can fetch is asked for before a hub is
    plan = [plan_part(role, known[role], (given or {}).get(role), here, home) for role in roles]
    size = sum(part.size for part in plan)
    check_space(Path(constants.HF_HUB_CACHE), size)
    ask([part.words for part in plan if part.words], size, home)
    paths = {OPTIONS[part.role]: part.fetch() for part in plan}
    import_model(made_of(paths, here), ready, "none", progress)
    return ready


def made_of(paths: Mapping[str, Path], here: Mapping[str, Path]) -> Sources:
    from engine.weights.importing import Sources

    extra = {part: here[part] for part in ("delta", "architecture") if part in here}
    return Sources(**paths, **extra)


def parts_here(folder: Path) -> dict[str, Path]:
    """By the import's option, what lies in a folder."""
    from engine.weights.parts import find_parts, one_each

    return {part: paths[0] for part, paths in one_each(folder, find_parts(folder)).paths.items()}


def plan_part(role: Role, part: PublicPart, given: str | None, here: Mapping[str, Path], home: Path) -> Fetching:
    """Raises DownloadError where its source does not answer, nor its copy."""
    local = Path(given) if given and Path(given).exists() else here.get(OPTIONS[role]) if given is None else None
    if local is not None:
        return Fetching(role, f"{part.name}: {local}, which is here.", 0, lambda: local)
    if given and not is_address(given):
        asked = wanted(given)
        if asked is None:
            raise ModelError(f"--part {role}={given}: that is no file, no folder, no address and no owner/name of a hub.")
        return from_hub(role, part.model_copy(update={"sha256": (), "file": part.file if role != "language" else ""}), asked)
    if not given and part.page:
        raise DownloadError(
            f"{part.name} lies on Google Drive alone, which gives large files to browsers: download it from {part.page}, then add "
            f"--part {role}=FILE, or --from FOLDER with what you have in it."
        )
    if given or part.url:
        return from_address(role, part, given or part.url, home)
    asked = wanted(part.repository)
    if asked is None:
        raise ModelError(f"{part.repository} is no repository's name.")
    return from_hub(role, part, Wanted(asked.repository, part.commit or None, kind=asked.kind))


def is_address(text: str) -> bool:
    return text.startswith(("http://", "https://")) and wanted(text) is None


def from_hub(role: Role, part: PublicPart, asked: Wanted) -> Fetching:
    """The sums that we know are held against those that the hub states, before a byte is fetched."""
    listing = look_up(asked)
    names = [name for name in listing.files if name == part.file] if part.file else [name for name in listing.files if is_language(name)]
    if not names:
        raise DownloadError(
            f"{asked.repository} has no {part.file or 'weights'} (any more). Replace it: --part {role}=FOLDER, or owner/name."
        )
    chosen = replace(listing, files=tuple(names))
    stated = {large.sha256 for name, large in listing.sums.items() if name in names}
    if missing := set(part.sha256) - stated:
        raise DownloadError(
            f"{asked.repository} has another file than MiniGPT-4's (no sha256 {min(missing)[:12]}…): a bad mirror? Set another, "
            f"or replace it: --part {role}=FOLDER."
        )
    gated = ", given only to those whom its owners let in (ask there, then set HF_TOKEN)" if listing.gated else ""
    size = chosen.to_fetch()
    where = f"{asked.repository} at {listing.commit[:10]}"
    return Fetching(
        role,
        f"{part.name}: {where}, {part.bytes / 1e9:.2f} GB, licence: {part.licence}{gated}.",
        size,
        lambda: chosen.fetch() / part.file,
    )


def is_language(name: str) -> bool:
    return "/" not in name and any(Path(name).match(pattern) for pattern in LANGUAGE_FILES)


def from_address(role: Role, part: PublicPart, url: str, home: Path) -> Fetching:
    target = home / "downloads" / "minigpt4" / Path(urlsplit(url).path).name
    sha256 = part.sha256[0] if part.sha256 else None

    def fetch() -> Path:
        try:
            with told(url):
                download(url, target, None, sha256)
        except DownloadError:
            copy = wanted(part.repository) if part.repository else None
            if copy is None:
                raise
            return from_hub(role, part, copy).fetch()  # its sum is held against ours there
        return target

    size = 0 if target.exists() else part.bytes
    return Fetching(role, f"{part.name}: {url}, {part.bytes / 1e9:.2f} GB, licence: {part.licence}.", size, fetch)
