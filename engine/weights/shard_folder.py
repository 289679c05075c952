"""Fills a model folder with shards: checks the disk's space first, and keeps the shards that a killed import finished."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from engine.atomic_write import PART, replacing
from engine.errors import ModelError
from engine.weights.shards import Conversion, shard_names, split_into_shards, write_shard

PLAN_NAME = "import.json"
SMALL_FILES = 20_000_000  # bytes for the tokenizer, configs and file system
Progress = Callable[[int, int], None]
"""Told the bytes that are written and the bytes there will be."""


def write_weights(folder: Path, groups: Mapping[str, Sequence[Conversion]], progress: Progress) -> None:
    """Writes each group as shards whose names begin with the group's. Raises ModelError if the disk is too full."""
    shards = {name: shard for stem, conversions in groups.items() for name, shard in named_shards(stem, conversions)}
    keep_finished(folder, plan(shards))
    missing = {name: shard for name, shard in shards.items() if not (folder / name).exists()}
    total = nbytes(shards)
    written = total - nbytes(missing)
    check_space(folder, total - written)

    def advance(count: int) -> None:
        nonlocal written
        written += count
        progress(written, total)

    advance(0)
    for name, shard in missing.items():
        write_shard(folder / name, shard, advance)
    (folder / PLAN_NAME).unlink()


def named_shards(stem: str, conversions: Sequence[Conversion]) -> Iterable[tuple[str, list[Conversion]]]:
    shards = split_into_shards(conversions)
    return zip(shard_names(stem, len(shards)), shards, strict=True)


def nbytes(shards: Mapping[str, Sequence[Conversion]]) -> int:
    return sum(conversion.nbytes for conversions in shards.values() for conversion in conversions)


def plan(shards: Mapping[str, Sequence[Conversion]]) -> str:
    """A digest of the source files and of what goes into which shard. A finished shard may be kept only if it is unchanged."""
    digest = hashlib.sha256()
    for path in sorted({origin.path for conversions in shards.values() for conversion in conversions for origin in conversion.origins}):
        status = path.stat()
        digest.update(f"{path.resolve()} {status.st_size} {status.st_mtime_ns}\n".encode())
    for name, conversions in shards.items():
        digest.update(repr((name, [conversion.slots for conversion in conversions])).encode())
    return digest.hexdigest()


def keep_finished(folder: Path, digest: str) -> None:
    """Keeps the finished shards of an interrupted import that had the same plan, and removes everything else."""
    for part in folder.glob(f"*{PART}"):
        part.unlink()
    record = folder / PLAN_NAME
    if not record.exists() or record.read_text(encoding="utf-8", errors="replace") != json.dumps(digest):
        for path in folder.glob("*.safetensors*"):
            path.unlink()
        with replacing(record) as part:
            part.write_text(json.dumps(digest), encoding="utf-8")


def check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed + SMALL_FILES > free:
        raise ModelError(
            f"The weights need {needed / 1e9:.1f} GB in {folder.parent}, and {free / 1e9:.1f} GB are free. "
            "Free some space, or write to another disk (--out, GANDER_HOME). What is already written is kept."
        )
