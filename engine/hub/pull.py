"""Fetches a repository of a Hugging Face hub, or of a mirror of one, by the hub's own client: resumable, proxies honoured.

The client itself reads HF_ENDPOINT, HF_TOKEN and the proxy variables; files that are here already are not fetched again. A model
that Gander can use as it lies there stays in the hub's own cache, which other programs share, and gets a link among the models.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from huggingface_hub import constants, snapshot_download

from engine.atomic_write import replacing_folder
from engine.errors import DownloadError
from engine.hub.listing import OTHER_FORMS, Listing, look_up, told
from engine.hub.names import Wanted
from engine.hub.packages import make_writable
from engine.models.card import CARD_NAME
from engine.models.card_reader import gguf_instead, read_card
from engine.weights.weight_files import FORMS, VISION_PREFIXES, indexed_files

Agree = Callable[[Listing, Path, int, str], None]
"""Told what there is to fetch, where to, how many bytes, and how it would run here; raises where a person does not want that."""

PARTS = ("blip-2",)  # kinds whose repositories are imported from
SPARE = 500_000_000  # bytes that a disk keeps free


def pull_repository(asked: Wanted, home: Path, agree: Agree = lambda *facts: None, *, eye_only: bool = False) -> Path:
    """The folder of a repository: in `models` if it is a ready model, else in `downloads`, for `gander model import`.

    `eye_only` leaves out weight files that hold nothing of BLIP-2's vision encoder. Raises DownloadError and ModelError.
    """
    folder, ready = home / "downloads" / asked.repository.replace("/", "--"), home / "models" / asked.name
    make_writable(ready.parent)  # known before anything is fetched
    if ready.exists() and not ready.is_symlink():
        raise DownloadError(f"A model called {asked.name} lies in {ready} already. Remove it or rename it first to fetch it again.")
    if constants.is_offline_mode():
        return link_to(ready, from_cache(asked))
    listing = look_up(asked)
    if is_gguf_alone(listing):
        raise gguf_instead(listing.repository)
    if CARD_NAME not in listing.files and is_answered_with(listing):
        return pull_as_it_lies(ready, listing, agree)
    if eye_only:
        listing.fetch(folder, "*.json", "*.model", "*.txt")
        listing.fetch(folder, *sorted(vision_files(folder)))
    else:
        size = listing.to_fetch(folder)
        check_space(folder, size)
        agree(listing, folder, size, "")
        listing.fetch(folder)
    if not (folder / CARD_NAME).exists():
        return folder
    with replacing_folder(ready) as partial:
        for path in folder.iterdir():
            if path.name != ".cache":
                path.rename(partial / path.name)
    return ready


def pull_as_it_lies(link: Path, listing: Listing, agree: Agree) -> Path:
    """Makes `link` one to the repository in the hub's cache."""
    cache = Path(constants.HF_HUB_CACHE)
    if is_pickled(listing):
        raise DownloadError(
            f"{listing.repository} has its weights in no *.safetensors. Other forms can hold code that runs when they are opened: "
            "take a repository that has safetensors, or convert this one where you trust it."
        )
    size = listing.to_fetch()
    check_space(cache, size)
    agree(listing, cache, size, how_it_runs(listing))
    return link_to(link, listing.fetch())


def is_gguf_alone(listing: Listing) -> bool:
    return {PurePosixPath(name).suffix for name in listing.files} & {".safetensors", *OTHER_FORMS} == {".gguf"}


def is_pickled(listing: Listing) -> bool:
    return not any(name.endswith(".safetensors") for name in listing.files)


def from_cache(asked: Wanted) -> Path:
    """A repository that lies in the hub's cache whole, without asking the hub. Raises DownloadError."""
    with told(asked.repository):
        return Path(snapshot_download(asked.repository, repo_type=asked.kind, revision=asked.revision, local_files_only=True))


def link_to(link: Path, folder: Path) -> Path:
    """Makes `link` one to a folder of the hub's cache that holds a model that can be answered with."""
    read_card(folder)
    return make_link(link, folder)


def make_link(link: Path, folder: Path) -> Path:
    link.parent.mkdir(parents=True, exist_ok=True)
    new = link.with_name(f".{link.name}.link")
    new.unlink(missing_ok=True)
    new.symlink_to(folder, target_is_directory=True)
    new.replace(link)
    return link


def how_it_runs(listing: Listing) -> str:
    """A sentence; nothing where the hub doesn't say how large it is."""
    config = listing.config()
    if config is None or not listing.parameters:
        return ""
    from engine.hub.memory_preview import memory_preview

    return memory_preview(config, listing.parameters)


def is_answered_with(listing: Listing) -> bool:
    """Whether it is a picture model, by its `config.json`. Raises ModelError for one of a kind that is not computed here."""
    from engine.models.pretrained_card import check_kind, known_to_transformers, read_json

    path = listing.config()
    if path is None:
        return False
    config = read_json(path)
    kind = config.get("model_type")
    seeing = "vision_config" in config or (kind and kind in known_to_transformers())  # the last takes seconds to import
    if kind in PARTS or not seeing:
        return False
    check_kind(listing.repository, config)
    return True


def free_space(folder: Path) -> int:
    """Bytes on the disk that a folder lies on, or would lie on."""
    return shutil.disk_usage(next(parent for parent in (folder, *folder.parents) if parent.exists())).free


def check_space(folder: Path, size: int) -> None:
    """Raises DownloadError where the disk is too full for `size` bytes more."""
    free = free_space(folder)
    if free < size + SPARE:
        raise DownloadError(
            f"{size / 1e9:.1f} GB are to be fetched into {folder}, and {free / 1e9:.1f} GB are free there. Free some, or name another "
            "disk: GANDER_HOME for the data folder, HF_HOME for the hub's cache."
        )


def vision_files(folder: Path) -> set[str]:
    """The weight files that the first index names for the vision encoder. Raises DownloadError where there is no index."""
    for stem, suffix in FORMS:
        found = indexed_files(folder / f"{stem}.{suffix}.index.json", lambda name: name.startswith(VISION_PREFIXES))
        if found:
            return found
    raise DownloadError(f"{folder} has no index that tells where an eye lies. Leave --eye-only out.")
