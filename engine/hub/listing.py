"""What a hub says of a repository before the first byte of it is fetched: its files, their size, its licence, who may have it."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import httpx2  # what the hub's client speaks HTTP with
from huggingface_hub import HfApi, constants, hf_hub_download, hf_hub_url, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import DryRunFileInfo, repo_folder_name
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # public, by a stub that hides it
from huggingface_hub.utils.tqdm import disable_progress_bars, enable_progress_bars

from engine.errors import DownloadError
from engine.hub.download import download
from engine.hub.names import Kind, Wanted

OTHER_FORMS = {".bin", ".ckpt", ".gguf", ".h5", ".msgpack", ".onnx", ".ot", ".pt", ".pth", ".tflite"}  # of the same weights

COMMIT_DIGITS = 40
COMMIT = re.compile(r"[0-9a-f]{7,40}")
CONNECTIONS = 4  # files at once
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Large(NamedTuple):
    """A file's bytes, and their sum."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Listing:
    """A repository at one commit. `files` are those that are worth fetching."""

    repository: str
    commit: str
    licence: str
    gated: bool
    parameters: int  # of all its weights; 0 = the hub doesn't say
    files: tuple[str, ...]
    sums: Mapping[str, Large] = field(default_factory=dict)  # of those that lie in the hub's store for large files
    kind: Kind = "model"

    def to_fetch(self, folder: Path | None = None) -> int:
        """Bytes that are not here yet: in the hub's own cache, or in `folder`. Raises DownloadError."""
        disable_progress_bars()
        try:
            with told(self.repository):
                planned = snapshot_download(
                    self.repository,
                    repo_type=self.kind,
                    revision=self.commit,
                    allow_patterns=list(self.files),
                    local_dir=folder,
                    dry_run=True,
                )
        finally:
            enable_progress_bars()
        return sum(file.file_size or 0 for file in planned if isinstance(file, DryRunFileInfo) and file.will_download)

    def fetch(self, folder: Path | None = None, *files: str) -> Path:
        """`files`, or all of them, their sums proven: where they lie now. What is here is not fetched again. Raises DownloadError."""
        patterns = list(files or self.files)
        large = [file for file in self.sums if any(PurePosixPath(file).match(pattern) for pattern in patterns)]
        with told(self.repository, folder):
            with ThreadPoolExecutor(CONNECTIONS) as threads:
                for _ in threads.map(lambda name: self.fetch_large(name, folder), large):
                    pass
            return Path(
                snapshot_download(self.repository, repo_type=self.kind, revision=self.commit, allow_patterns=patterns, local_dir=folder)
            )

    def fetch_large(self, name: str, folder: Path | None) -> None:
        """To where the hub's client looks for it: in its cache such a file lies under its sum."""
        large = self.sums[name]
        cached = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=self.repository, repo_type=self.kind) / "blobs" / large.sha256
        url = hf_hub_url(self.repository, name, repo_type=self.kind, revision=self.commit)
        download(url, folder / name if folder else cached, large.size, large.sha256, build_hf_headers(), name)

    def config(self) -> Path | None:
        """Its `config.json`, a few kilobytes that tell what kind of model it is."""
        if "config.json" not in self.files:
            return None
        with told(self.repository):
            return Path(hf_hub_download(self.repository, "config.json", repo_type=self.kind, revision=self.commit))


def look_up(asked: Wanted) -> Listing:
    """Asks the hub. Raises DownloadError that says what to do."""
    hub = HfApi()
    with told(asked.repository):
        ask = hub.space_info if asked.kind == "space" else hub.model_info
        found = ask(asked.repository, revision=whole_commit(hub, asked), files_metadata=True)
    commit = found.sha or asked.revision or "main"
    if asked.revision and COMMIT.fullmatch(asked.revision) and not commit.startswith(asked.revision):
        raise DownloadError(
            f"{asked.repository} gave its commit {commit} when {asked.revision} was asked for. Set HF_ENDPOINT to a better mirror."
        )
    siblings = found.siblings or []
    stored = getattr(found, "safetensors", None)
    licence = (found.card_data.get("license") if found.card_data else None) or "not stated"
    return Listing(
        asked.repository,
        commit,
        str(licence),
        bool(getattr(found, "gated", False)),
        stored.total if stored else 0,
        tuple(worth_fetching([sibling.rfilename for sibling in siblings])),
        {sibling.rfilename: Large(sibling.lfs.size, sibling.lfs.sha256) for sibling in siblings if sibling.lfs},
        asked.kind,
    )


def whole_commit(hub: HfApi, asked: Wanted) -> str | None:
    """A revision as it was asked for; a commit's first digits in full, where the repository has one that begins so."""
    if not asked.revision or not COMMIT.fullmatch(asked.revision) or len(asked.revision) == COMMIT_DIGITS:
        return asked.revision
    commits = hub.list_repo_commits(asked.repository, repo_type=asked.kind)
    return next((commit.commit_id for commit in commits if commit.commit_id.startswith(asked.revision)), asked.revision)


def worth_fetching(names: list[str]) -> list[str]:
    """Where a repository has weights as safetensors beside its config, these and no other form of them; else all files."""
    roots = {name for name in names if "/" not in name}
    if "config.json" not in roots or not any(name.startswith("model") and name.endswith(".safetensors") for name in roots):
        return names
    return sorted(
        name
        for name in roots
        if PurePosixPath(name).suffix not in OTHER_FORMS
        and not name.endswith((".bin.index.json", ".md"))
        and not name.startswith("consolidated")
    )


@contextmanager
def told(repository: str, folder: Path | None = None) -> Iterator[None]:
    """Every fault of the hub as a DownloadError that says what to do."""
    endpoint = os.environ.get("HF_ENDPOINT", "the hub")
    by_hand = f"Or fetch its files elsewhere, put them into {folder or 'a folder'}, and give that folder " + (
        "to `gander model import`." if folder else "instead of the name."
    )
    try:
        yield
    except HFValidationError:
        raise DownloadError(f"{repository!r} is no repository: give owner/name, such as HuggingFaceTB/SmolVLM-256M-Instruct.") from None
    except GatedRepoError:
        raise DownloadError(
            f"{repository} is given only to those whom its owners let in. Ask there, then set HF_TOKEN. {by_hand}"
        ) from None
    except RepositoryNotFoundError:
        raise DownloadError(f"{endpoint} has no {repository} for you: misspelt, withdrawn, or private (set HF_TOKEN). {by_hand}") from None
    except RevisionNotFoundError:
        raise DownloadError(
            f"{repository} has no such revision (any more): leave it out for the newest, or look at the repository's history. {by_hand}"
        ) from None
    except OfflineModeIsEnabled:
        raise DownloadError(f"HF_HUB_OFFLINE is set, and {repository} is not here whole. Unset it once. {by_hand}") from None
    except LocalEntryNotFoundError as error:
        if constants.is_offline_mode():
            raise DownloadError(f"HF_HUB_OFFLINE is set, and {repository} is not here whole. Unset it once. {by_hand}") from None
        raise cut_off(error, endpoint, by_hand) from None
    except (HfHubHTTPError, httpx2.HTTPError, OSError) as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise DownloadError(
                f"The disk is full: {repository} came in part, and what is here is kept. Free some space, or name another disk "
                "(HF_HOME for the hub's cache, GANDER_HOME for the data folder), and run the command again."
            ) from None
        raise cut_off(error, endpoint, by_hand) from None


def cut_off(error: Exception, endpoint: str, by_hand: str) -> DownloadError:
    cause = str(error.__cause__ or error).strip().partition("\n")[0]
    return DownloadError(
        f"{endpoint} can't be reached or broke off ({cause}). Run the command again, it continues; "
        f"set HTTPS_PROXY for a proxy or HF_ENDPOINT for a mirror. {by_hand}"
    )
