"""Finds out in which form training data lies, and reads it: captions, a table, WebDataset's shards, a demo's export. No torch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from engine.errors import DataError
from engine.training.alignment.dataset import BadRow, Example, StoredPicture
from engine.training.alignment.formats.shards import read_shards
from engine.training.alignment.formats.tables import TABLES, read_table

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"}
SHARD, TEXT = ".tar", ".txt"
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
    inside = visible(path.iterdir(), path)
    shards = [file for file in inside if kind_of(file) == SHARD]
    tables = [file for file in inside if kind_of(file) in TABLES]
    if shards:
        return read_shards(shards)
    captioned = visible(path.rglob("*"), path)
    if pairs := paired(captioned, path):
        return chain(read_captions(path, pairs), (beside_captions(table) for table in tables))
    if tables:
        return chain.from_iterable(read_table(table, images) for table in tables)
    pictures = sum(kind_of(file) in PICTURES for file in captioned)
    raise DataError(f"{path} holds no training data ({pictures} pictures without a text beside them). Give {FORMS}.")


def visible(files: Iterable[Path], folder: Path) -> list[Path]:
    """The files whose names, and whose folders' below `folder`, don't begin with a dot; sorted."""
    return sorted(file for file in files if file.is_file() and not any(part.startswith(".") for part in file.relative_to(folder).parts))


def kind_of(file: Path) -> str:
    """`.jpg` of any `photo.JPG`."""
    return file.suffix.lower()


def read_file(path: Path, images: Path | None) -> Iterator[Example | BadRow]:
    if kind_of(path) == SHARD:
        return read_shards([path])
    if kind_of(path) in TABLES:
        return read_table(path, images)
    raise DataError(f"{path} is of no form that is read here. Give {FORMS}; unpack compressed shards first.")


@dataclass
class Named:
    """The pictures and the text of one name, such as `cats/1`: as a rule one of each."""

    pictures: list[Path] = field(default_factory=list)
    text: Path | None = None


def paired(files: Sequence[Path], folder: Path) -> dict[str, Named]:
    """By their names below the folder; empty where no picture has a text."""
    found: dict[str, Named] = defaultdict(Named)
    for file in files:
        name = str(file.relative_to(folder).with_suffix(""))
        if kind_of(file) == TEXT:
            found[name].text = file
        elif kind_of(file) in PICTURES:
            found[name].pictures.append(file)
    return found if any(named.text and named.pictures for named in found.values()) else {}


def read_captions(folder: Path, found: Mapping[str, Named]) -> Iterator[Example | BadRow]:
    """`picture.jpg` with its caption in `picture.txt`, in folders of the folder too. Rows count the names, sorted."""
    for row, (name, named) in enumerate(sorted(found.items()), 1):
        source = str(Path(folder.name) / (named.pictures[0] if named.pictures else named.text or folder).relative_to(folder))
        if named.text is None:
            yield BadRow(row, source, f"missing text: there is no {Path(name).name}{TEXT} beside this picture.")
        elif not named.pictures:
            yield BadRow(row, source, f"missing picture: there is no picture named {Path(name).name} beside this text.")
        elif len(named.pictures) > 1:
            others = ", ".join(picture.name for picture in named.pictures[1:])
            yield BadRow(row, source, f"several pictures: {others} too would have the text {named.text.name}.")
        else:
            yield caption(row, source, named.pictures[0], named.text)


def beside_captions(table: Path) -> BadRow:
    """A folder is read as one form: the other is not left out in silence."""
    return BadRow(1, table.name, f"table beside captions: it is not read with its folder. Give {table} by itself, if it holds rows.")


def caption(row: int, source: str, picture: Path, text: Path) -> Example | BadRow:
    try:
        words = text.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        return BadRow(row, source, f"unreadable text: {text.name}: {error}")
    return Example(row, source, (StoredPicture(picture),), (("", words),)) if words else BadRow(row, source, f"empty text: {text.name}.")
