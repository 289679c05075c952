"""Fetches a repository of a Hugging Face hub, or of a mirror of one, by the hub's own client: resumable, proxies honoured.

The client reads HF_ENDPOINT, HF_TOKEN, HTTPS_PROXY and its kin itself; what is here already is not fetched again.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import httpx
from huggingface_hub import snapshot_download
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, RepositoryNotFoundError

from engine.atomic_write import replacing_folder
from engine.errors import DownloadError
from engine.models.card import CARD_NAME
from engine.weights.weight_files import FORMS, VISION_PREFIXES, indexed_files


def pull_repository(repository: str, home: Path, *, revision: str | None = None, eye_only: bool = False) -> Path:
    """The folder of `repository` (`owner/name`): in `models` if it is a ready model, else in `downloads`, for `gander model import`.

    `eye_only` leaves out weight files that hold nothing of BLIP-2's vision encoder. Raises DownloadError that says what to do.
    """
    owner, _, name = repository.partition("/")
    folder, ready = home / "downloads" / f"{owner}--{name}", home / "models" / name
    if (ready / CARD_NAME).exists():
        raise DownloadError(f"A model called {name} lies in {ready} already. Remove it or rename it first, if it is to be fetched again.")
    if eye_only:
        fetch(repository, folder, revision, ["*.json", "*.model", "*.txt"])
        fetch(repository, folder, revision, sorted(eye_files(folder)))
    else:
        fetch(repository, folder, revision, None)
    if not (folder / CARD_NAME).exists():
        return folder
    with replacing_folder(ready) as partial:
        for path in folder.iterdir():
            if path.name != ".cache":
                path.rename(partial / path.name)
    return ready


def eye_files(folder: Path) -> set[str]:
    """The weight files that the first index names for the vision encoder. Raises DownloadError where there is no index."""
    for stem, suffix in FORMS:
        found = indexed_files(folder / f"{stem}.{suffix}.index.json", lambda name: name.startswith(VISION_PREFIXES))
        if found:
            return found
    raise DownloadError(f"{folder} has no index that tells where a vision encoder's weights lie. Leave --eye-only out.")


def fetch(repository: str, folder: Path, revision: str | None, patterns: Sequence[str] | None) -> None:
    endpoint = os.environ.get("HF_ENDPOINT", "the hub")
    by_hand = f"Or fetch its files elsewhere, put them into {folder}, and give that folder to `gander model import`."
    try:
        snapshot_download(repository, revision=revision, local_dir=folder, allow_patterns=list(patterns) if patterns else None)
    except HFValidationError:
        raise DownloadError(f"{repository!r} is no repository: give owner/name, such as lmsys/vicuna-7b-delta-v0.") from None
    except GatedRepoError:
        raise DownloadError(
            f"{repository} is given only to those whom its owners let in. Ask there, then set HF_TOKEN. {by_hand}"
        ) from None
    except RepositoryNotFoundError:
        raise DownloadError(f"{endpoint} has no {repository} for you: misspelt, withdrawn, or private (set HF_TOKEN). {by_hand}") from None
    except (LocalEntryNotFoundError, HfHubHTTPError, httpx.HTTPError, OSError) as error:
        cause = str(error.__cause__ or error).strip().partition("\n")[0]
        raise DownloadError(
            f"{endpoint} can't be reached or broke off ({cause}). Run the command again, it continues; "
            f"set HTTPS_PROXY for a proxy or HF_ENDPOINT for a mirror. {by_hand}"
        ) from None
