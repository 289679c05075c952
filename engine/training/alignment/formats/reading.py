"""Finds out in which form training data lies, and reads it: captions, a table, WebDataset's shards, a demo's export. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from engine.errors import DataError
from engine.training.alignment.dataset import BadRow, Example, StoredPicture
from engine.training.alignment.formats.shards import read_shards
from engine.training.alignment.formats.tables import TABLES, read_table

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"}
SHARD = ".tar"
FORMS = "a folder with picture.jpg beside picture.txt, a table (.jsonl, .json, .csv or .tsv), WebDataset's .tar shards, or a demo's export"


def read_rows(paths: Sequence[Path], images: Path | None = None) -> Iterator[Example | BadRow]:
    """All rows of all data, in order. `images` is where the pictures lie that a table names; by default beside it.

    Raises DataError for data of no form that is known.
    """
    return chain.from_iterable(read_path(path, images) for path in paths)


def read_path(path: Path, images: Path | None) -> Iterator[Example | BadRow]:
    if not path.exists():
        raise DataError(f"{path} does not exist. Give {FORMS}.")
    if path.is_file():
        return read_file(path, images)
    inside = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    shards = [file for file in inside if file.suffix == SHARD]
    tables = [file for file in inside if file.suffix in TABLES]
    pictures = [file for file in inside if file.suffix.lower() in PICTURES]
    if shards:
        return read_shards(shards)
    if pictures and any(file.suffix == ".txt" for file in inside):
        return read_captions(path, inside)
    if tables:
        return chain.from_iterable(read_table(table, images) for table in tables)
    raise DataError(f"{path} holds no training data ({len(pictures)} pictures without a text beside them). Give {FORMS}.")


def read_file(path: Path, images: Path | None) -> Iterator[Example | BadRow]:
    if path.suffix == SHARD:
        return read_shards([path])
    if path.suffix in TABLES:
        return read_table(path, images)
    raise DataError(f"{path} is of no form that is read here. Give {FORMS}; unpack compressed shards first.")


def read_captions(folder: Path, inside: Sequence[Path]) -> Iterator[Example | BadRow]:
    """`picture.jpg` with its caption in `picture.txt`. Rows count the names, sorted."""
    by_stem: dict[str, dict[str, Path]] = {}
    for file in inside:
        kind = "picture" if file.suffix.lower() in PICTURES else "text" if file.suffix == ".txt" else ""
        if kind:
            by_stem.setdefault(file.stem, {})[kind] = file
    for row, (stem, found) in enumerate(sorted(by_stem.items()), 1):
        source = f"{folder.name}/{next(iter(found.values())).name}"
        if "picture" not in found:
            yield BadRow(row, source, f"missing picture: there is no picture named {stem} beside this text.")
        elif "text" not in found:
            yield BadRow(row, source, f"missing text: there is no {stem}.txt beside this picture.")
        else:
            yield caption(row, source, found["picture"], found["text"])


def caption(row: int, source: str, picture: Path, text: Path) -> Example | BadRow:
    try:
        words = text.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        return BadRow(row, source, f"unreadable text: {text.name}: {error}")
    return Example(row, source, (StoredPicture(picture),), (("", words),)) if words else BadRow(row, source, f"empty text: {text.name}.")
