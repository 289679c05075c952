"""Takes a model from the disk: a folder of ours, or a link among the models and what it links to in the hub's cache."""

from __future__ import annotations

import shutil
from pathlib import Path

from huggingface_hub import scan_cache_dir
from huggingface_hub.errors import CacheNotFound

from engine.errors import ModelError


def takes(folder: Path) -> int:
    """Bytes of a model folder."""
    return sum(path.stat().st_size for path in folder.resolve().rglob("*") if path.is_file())


def remove_model(folder: Path, models: Path) -> int:
    """Bytes that were freed of a folder in `models`. Raises ModelError for a folder that is none of ours, and one that can't be removed."""
    if folder.parent.resolve() != models.resolve():
        raise ModelError(f"{folder} is not among the models in {models}: remove it yourself if you want that.")
    size = takes(folder)
    try:
        if not folder.is_symlink():
            shutil.rmtree(folder)
            return size
        commit, is_only_a_name = folder.resolve().name, folder.readlink().parent == folder.parent
        folder.unlink()
        if is_only_a_name:  # `auto` of another model, which stays
            return 0
        plan = scan_cache_dir().delete_revisions(commit)
        plan.execute()
        return plan.expected_freed_size
    except CacheNotFound:  # somebody emptied it meanwhile
        return 0
    except OSError as error:
        raise ModelError(f"{folder} can't be removed: {error}.") from None
