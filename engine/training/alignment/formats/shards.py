"""Reads WebDataset's shards: tar files in which the members of one sample stand together under one name. No torch."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import DataError
from engine.training.alignment.dataset import BadRow, Example, StoredPicture
from engine.training.alignment.formats.records import to_example

PICTURES = {"jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "avif"}
TEXTS = {"txt", "json"}
LARGEST_TEXT = 1 << 20  # bytes


@dataclass
class Sample:
    """The members of one name, by the rest of their names: `jpg`, `txt`, `json`."""

    name: str
    pictures: list[StoredPicture] = field(default_factory=list)
    texts: dict[str, bytes] = field(default_factory=dict)


def read_shards(paths: Sequence[Path]) -> Iterator[Example | BadRow]:
    """Every sample of every shard. Pictures stay in their shard and are read when they are needed."""
    for path in paths:
        for row, sample in enumerate(samples(path), 1):
            yield example(row, path.name, sample)


def samples(path: Path) -> Iterator[Sample]:
    """Goes through the shard once, from front to back. Raises DataError for a damaged one."""
    current: Sample | None = None
    try:
        with tarfile.open(path, "r|") as shard:
            for member in shard:
                folder, _, file = member.name.rpartition("/")
                stem, _, kind = file.partition(".")
                if not member.isfile() or not stem:
                    continue
                name = f"{folder}/{stem}"
                if current is None or current.name != name:
                    if current:
                        yield current
                    current = Sample(name)
                keep(current, path, shard, member, kind.lower())
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DataError(f"{path} is no tar file, or is damaged: {error}. Shards must not be compressed.") from None
    if current:
        yield current


def keep(sample: Sample, path: Path, shard: tarfile.TarFile, member: tarfile.TarInfo, kind: str) -> None:
    if kind in PICTURES:
        sample.pictures.append(StoredPicture(path, member.offset_data, member.size))
    elif kind in TEXTS and member.size <= LARGEST_TEXT and (content := shard.extractfile(member)):
        sample.texts[kind] = content.read()


def example(row: int, source: str, sample: Sample) -> Example | BadRow:
    try:
        record = record_of(sample)
    except ValueError as error:
        return BadRow(row, source, f"broken text: {sample.name} ({error}).")
    if not record:
        return BadRow(row, source, f"missing text: {sample.name} has neither .txt nor .json.")
    if not sample.pictures:
        return BadRow(row, source, f"missing picture: {sample.name} has none.")
    names = {str(number): picture for number, picture in enumerate(sample.pictures)}
    return to_example(row, source, {**record, "image": list(names)}, names.get)


def record_of(sample: Sample) -> Mapping[str, Any]:
    if "json" in sample.texts:
        found = json.loads(sample.texts["json"])
        if not isinstance(found, dict):
            raise ValueError("no JSON object")
        if {"answer", "caption", "conversations"} & found.keys() or "txt" not in sample.texts:
            return found
    return {"caption": sample.texts["txt"].decode("utf-8-sig")} if "txt" in sample.texts else {}
