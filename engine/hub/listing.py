"""What a hub says of a repository before the first byte of it is fetched: its files, their size, its licence, who may have it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import httpx2  # what the hub's client speaks HTTP with
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, RepositoryNotFoundError
from huggingface_hub.file_download import DryRunFileInfo
from huggingface_hub.utils.tqdm import disable_progress_bars, enable_progress_bars

from engine.errors import DownloadError
from engine.hub.names import Wanted

LEFT_OUT = (".bin.index.json", ".md", "consolidated.safetensors")
OTHER_FORMS = {".bin", ".ckpt", ".gguf", ".h5", ".msgpack", ".onnx", ".ot", ".pt", ".pth", ".tflite"}  # of the same weights


@dataclass(frozen=True)
class Listing:
    """A repository at one commit. `files` are those that are worth fetching."""

    repository: str
    commit: str
    licence: str
    gated: bool
    parameters: int  # of all its weights; 0 = the hub doesn't say
    files: tuple[str, ...]

    def to_fetch(self, folder: Path | None = None) -> int:
        """Bytes that are not here yet: in the hub's own cache, or in `folder`. Raises DownloadError."""
        disable_progress_bars()
        try:
            with told(self.repository):
                planned = snapshot_download(
                    self.repository, revision=self.commit, allow_patterns=list(self.files), local_dir=folder, dry_run=True
                )
        finally:
            enable_progress_bars()
        return sum(file.file_size or 0 for file in planned if isinstance(file, DryRunFileInfo) and file.will_download)

    def fetch(self, folder: Path | None = None, *files: str) -> Path:
        """`files`, or all of them: where they lie now. What is here already is not fetched again. Raises DownloadError."""
        with told(self.repository, folder):
            patterns = list(files or self.files)
            return Path(snapshot_download(self.repository, revision=self.commit, allow_patterns=patterns, local_dir=folder))

    def config(self) -> Path | None:
        """Its `config.json`, a few kilobytes that tell what kind of model it is."""
        if "config.json" not in self.files:
            return None
        with told(self.repository):
            return Path(hf_hub_download(self.repository, "config.json", revision=self.commit))


def look_up(asked: Wanted) -> Listing:
    """Asks the hub. Raises DownloadError that says what to do."""
    with told(asked.repository):
        found = HfApi().model_info(asked.repository, revision=asked.revision)
    licence = (found.card_data.get("license") if found.card_data else None) or "not stated"
    parameters = found.safetensors.total if found.safetensors else 0
    names = [sibling.rfilename for sibling in found.siblings or []]
    return Listing(
        asked.repository, found.sha or asked.revision or "main", str(licence), bool(found.gated), parameters, tuple(worth_fetching(names))
    )


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
    except (LocalEntryNotFoundError, HfHubHTTPError, httpx2.HTTPError, OSError) as error:
        cause = str(error.__cause__ or error).strip().partition("\n")[0]
        raise DownloadError(
            f"{endpoint} can't be reached or broke off ({cause}). Run the command again, it continues; "
            f"set HTTPS_PROXY for a proxy or HF_ENDPOINT for a mirror. {by_hand}"
        ) from None
