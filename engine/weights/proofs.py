"""Proves a tensor's bytes while they are read, so that damage is named instead of being answered with.

A file of PyTorch's is a zip archive, which holds a CRC of each storage. Other files tell by what can't be in a model: numbers
that are not finite, and pages of nothing but zeros in the middle of a matrix, which is what downloaders leave that reserve the
whole file first.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.errors import WeightsError

AGAIN = "Download it again."
LOCAL_HEADER = struct.Struct("<26xHH")  # of a zip's entry: what ends it are the lengths of the name and of the rest
PAGE = 4096  # bytes
HOLE = 64  # pages; less than any downloader's piece
PIECE = 1 << 24
SPARSE_NAMES = ("embed", "lm_head")  # rows of words that nobody uses may be zeros


@dataclass(frozen=True)
class Record:
    """One storage of a zip archive: where its bytes lie, and their CRC."""

    offset: int
    nbytes: int
    crc: int


def records(path: Path) -> Mapping[int, Record]:
    """A torch file's storages by their first byte; none where the file was saved without CRCs. Raises WeightsError."""
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            entries = archive.infolist()
            if not has_sums(archive, entries):
                return {}
            found = (
                Record(data_offset(file.fileno(), entry), entry.file_size, entry.CRC) for entry in entries if "/data/" in entry.filename
            )
            return {record.offset: record for record in found if record.crc}
    except (zipfile.BadZipFile, OSError, struct.error):
        return {}  # torch's own reader says what is wrong


def has_sums(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> bool:
    """PyTorch may be told to leave sums out, and then writes wrong ones: a small entry shows that."""
    small = next((entry for entry in entries if entry.filename.endswith("/version")), None)
    try:
        return small is None or bool(archive.read(small))
    except zipfile.BadZipFile:
        return False


def data_offset(file: int, entry: zipfile.ZipInfo) -> int:
    name, rest = LOCAL_HEADER.unpack(os.pread(file, LOCAL_HEADER.size, entry.header_offset))
    return int(entry.header_offset + LOCAL_HEADER.size + name + rest)


def check_sum(path: Path, name: str, record: Record, offset: int, view: memoryview) -> None:
    """Raises WeightsError where the storage's bytes are others than those that were saved. `view` is what was read of it at `offset`."""
    same = zlib.crc32(view) == record.crc if (offset, len(view)) == (record.offset, record.nbytes) else stored_whole(path, record)
    if not same:
        raise WeightsError(f"{path} is damaged: the bytes of {name} are not those that were saved (CRC). {AGAIN}")


@lru_cache(maxsize=4096)
def stored_whole(path: Path, record: Record) -> bool:
    """Whether a storage that several tensors share holds what was saved; read once, in pieces."""
    found, left = 0, record.nbytes
    with path.open("rb") as file:
        file.seek(record.offset)
        while left > 0 and (piece := file.read(min(PIECE, left))):
            found, left = zlib.crc32(piece, found), left - len(piece)
    return left == 0 and found == record.crc


def check_finite(path: Path, name: str, tensor: Tensor) -> None:
    """Raises WeightsError for NaN and infinity, which spread into every answer."""
    if not tensor.is_floating_point() or not tensor.numel():
        return
    low, high = torch.aminmax(tensor)
    if not (torch.isfinite(low) and torch.isfinite(high)):
        raise WeightsError(f"{path} is damaged: {name} holds numbers that are not finite. {AGAIN}")


def check_holes(path: Path, name: str, offset: int, view: memoryview) -> None:
    """Raises WeightsError where whole pages of the file are zeros in the middle of a matrix's bytes, which lie at `offset`."""
    if any(part in name for part in SPARSE_NAMES):
        return
    first = -offset % PAGE
    pages = np.frombuffer(view[first : first + (len(view) - first) // PAGE * PAGE], dtype=np.uint64).reshape(-1, PAGE // 8)
    zeros = np.flatnonzero(~pages[:, ::64].any(axis=1))  # by samples
    zeros = zeros[~pages[zeros].any(axis=1)]
    for run in np.split(zeros, np.flatnonzero(np.diff(zeros) > 1) + 1):
        if len(run) >= HOLE and run[0] > 0 and run[-1] < len(pages) - 1:
            at = offset + first + int(run[0]) * PAGE
            raise WeightsError(f"{path} has a hole of zeros at byte {at:,}, in {name}: its download was not finished. {AGAIN}")
