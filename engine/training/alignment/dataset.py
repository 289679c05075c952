"""What training and evaluation read: pictures, and what is asked and answered about them. Every row is known by its source. No torch."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Literal

from PIL import Image

from engine.errors import DataError, PictureError
from engine.images.decode import Limits, decode_picture, quiet_pillow

LIMITS = Limits()  # a training picture is checked as one of a request is
DECODERS = 8  # threads: Pillow lets go of Python's lock
AT_ONCE = 512  # rows whose pictures are checked together
LISTED = 5  # bad rows that a refusal shows
Bad = Literal["skip", "refuse"]


@dataclass(frozen=True)
class StoredPicture:
    """Where a picture's bytes lie: a whole file, or `size` bytes from `start` on, as in a tar shard; in base64 as in a demo's page."""

    path: Path
    start: int = 0
    size: int | None = None
    base64: bool = False

    def read(self) -> bytes:
        """The encoded picture. Raises PictureError that says why it can't be read."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.start)
                data = file.read(-1 if self.size is None else self.size)
        except OSError as error:
            raise PictureError(f"{self.path} can't be read: {error.strerror or error}.") from None
        return base64.b64decode(data) if self.base64 else data

    def open(self) -> Image.Image:
        """In RGB, upright, in its own size. Raises PictureError."""
        return decode_picture(self.read(), LIMITS).image

    @cached_property
    def key(self) -> str:
        """Names the picture among others, without reading it."""
        return hashlib.sha256(f"{self.path.resolve()}:{self.start}:{self.size}".encode()).hexdigest()


@dataclass(frozen=True)
class Example:
    """One row: `turns` are questions with their answers, in order. A caption's question is empty.

    `row` counts from 1, as its `source` does: a line, a picture of a folder, a sample of a shard.
    """

    row: int
    source: str
    pictures: tuple[StoredPicture, ...]
    turns: tuple[tuple[str, str], ...]

    @property
    def where(self) -> str:
        return f"{self.source}, row {self.row}"


@dataclass(frozen=True)
class BadRow:
    """A row that can't be learned from, and why."""

    row: int
    source: str
    reason: str

    def __str__(self) -> str:
        return f"{self.source}, row {self.row}: {self.reason}"


@dataclass(frozen=True)
class Dataset:
    """The rows that can be used, and those that can't."""

    examples: tuple[Example, ...]
    bad: tuple[BadRow, ...] = ()

    def __len__(self) -> int:
        return len(self.examples)

    @property
    def repeated(self) -> list[Example]:
        """Examples that say of the same pictures what an earlier one said. Files of the same bytes are the same picture."""
        often = Counter(example.turns for example in self.examples)
        seen: set[tuple[object, ...]] = set()
        found: list[Example] = []
        for example in self.examples:
            if often[example.turns] > 1:
                same = (example.turns, *(hashlib.sha256(picture.read()).digest() for picture in example.pictures))
                if same in seen:
                    found.append(example)
                seen.add(same)
        return found

    def refuse_bad(self) -> None:
        """Raises DataError that lists the first bad rows, if there are any."""
        if self.bad:
            count = f"{len(self.bad)} of {len(self.bad) + len(self)} rows"
            raise DataError(f"{count} can't be used:\n{listed(self.bad)}\n`--check` lists all, `--bad skip` trains without them.")


def listed(bad: Sequence[BadRow], most: int = LISTED) -> str:
    """The first bad rows, and how many more there are of which kind."""
    lines = [f"  {row}" for row in bad[:most]]
    kinds = Counter(row.reason.partition(":")[0] for row in bad[most:])
    return "\n".join([*lines, *(f"  … {count} more: {kind}" for kind, count in kinds.most_common())])


def check_pictures(rows: Iterable[Example | BadRow], told: Callable[[int], None] = lambda done: None) -> Dataset:
    """Decodes every picture once; a row with one that can't be becomes a bad one. `told` hears how many rows are done."""
    quiet_pillow()
    examples: list[Example] = []
    bad: list[BadRow] = []
    given, done = iter(rows), 0
    with ThreadPoolExecutor(DECODERS, thread_name_prefix="check") as pool:
        while group := list(islice(given, AT_ONCE)):
            for row in pool.map(checked, group):
                (bad if isinstance(row, BadRow) else examples).append(row)  # type: ignore[arg-type]  # each to its own
            done += len(group)
            told(done)
    return Dataset(tuple(examples), tuple(bad))


def checked(row: Example | BadRow) -> Example | BadRow:
    if isinstance(row, BadRow):
        return row
    try:
        for picture in row.pictures:
            picture.open()
    except PictureError as error:
        return BadRow(row.row, row.source, f"broken picture: {error}")
    return row
