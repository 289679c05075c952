"""Reads training data from tables: JSON lines, JSON, CSV and TSV; a demo's export among them. No torch."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.errors import DataError
from engine.training.alignment.dataset import BadRow, Example, StoredPicture
from engine.training.alignment.formats.demo_export import is_demo_record, page_pictures, to_record
from engine.training.alignment.formats.records import ANSWERS, to_example

TABLES = {".jsonl", ".json", ".csv", ".tsv"}
LONGEST_CELL = 10_000_000  # characters; Python's own limit of 131,072 is less than a long conversation


def read_table(path: Path, images: Path | None) -> Iterator[Example | BadRow]:
    """Every row; pictures lie in `images`, by default beside the table. Raises DataError for a file that is no table."""
    folder = images or path.parent
    exported: dict[str, StoredPicture] | None = None

    def find(name: str) -> StoredPicture | None:
        if exported and name in exported:
            return exported[name]
        file = folder / name
        return StoredPicture(file) if file.is_file() else None

    for row, record in records(path):
        if isinstance(record, BadRow):
            yield record
        elif is_demo_record(record):
            exported = page_pictures(path.with_suffix(".html")) if exported is None else exported
            yield from (to_example(row, path.name, each, find) for each in to_record(record))
        else:
            yield to_example(row, path.name, record, find)


def records(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | BadRow]]:
    if path.suffix.lower() == ".jsonl":
        return json_lines(path)
    if path.suffix.lower() == ".json":
        return iter(json_list(path))
    return csv_rows(path)


def json_lines(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | BadRow]]:
    with path.open("rb") as file:
        for row, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError as error:
                record = BadRow(row, path.name, f"broken line: no JSON ({error}).")
            if not isinstance(record, dict | BadRow):
                record = BadRow(row, path.name, "broken line: no JSON object.")
            yield row, record


def json_list(path: Path) -> list[tuple[int, Mapping[str, Any] | BadRow]]:
    """A list of objects as LLaVA's, or the release's `filter_cap.json`, whose pictures lie in `image/`."""
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:
        raise DataError(f"{path} is no JSON: {error}.") from None
    if isinstance(found, dict) and isinstance(found.get("annotations"), list):
        found = list(map(release_row, found["annotations"]))
    if not isinstance(found, list):
        raise DataError(f"{path} holds no list of rows. Give a list of objects with image, question and answer, or with conversations.")
    return [
        (row, record if isinstance(record, dict) else BadRow(row, path.name, "broken row: no JSON object."))
        for row, record in enumerate(found, 1)
    ]


def release_row(given: Any) -> Any:
    if not isinstance(given, dict) or "image_id" not in given:
        return given
    return {"image": f"image/{given['image_id']}.jpg", "caption": given.get("caption")}


def delimiter_of(header: str) -> str:
    """What parts the columns: where a comma writes decimals, spreadsheets save CSV with semicolons."""
    return next((mark for mark in ",;\t" if "image" in next(csv.reader([header], delimiter=mark), ())), ",")


def csv_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | BadRow]]:
    """Rows count from the first below the header. Raises DataError for a header without the columns that are needed."""
    csv.field_size_limit(LONGEST_CELL)
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            header = file.readline()
            file.seek(0)
            reader = csv.DictReader(file, delimiter=delimiter_of(header))
            columns = reader.fieldnames or []
            if "image" not in columns or not set(columns) & set(ANSWERS):
                raise DataError(
                    f"{path} has the columns {', '.join(columns) or 'none'}. It needs image, question and answer; or image and caption."
                )
            for row, record in enumerate(reader, 1):
                if None in record or None in record.values():
                    size = "more" if None in record else "fewer"
                    yield row, BadRow(row, path.name, f"wrong columns: {len(columns)} are named, and this row has {size}.")
                else:
                    yield row, record
        except (csv.Error, UnicodeDecodeError) as error:
            raise DataError(f"{path} can't be read as a table: {error}. Save it as UTF-8.") from None
