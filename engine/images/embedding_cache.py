"""Keeps pictures as the vision encoder encoded them, in memory and on disk, so that none is encoded twice, not even after a restart."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from glob import escape
from pathlib import Path
from typing import Any

import structlog
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from engine.atomic_write import PART, replacing
from engine.images.decode import MEBI, Limits, Picture
from engine.models.base import EncodedPicture, VisionLanguageModel
from engine.models.looks import by_look

DISK_BYTES = 1 << 30
BOUND_BYTES = 256 * MEBI
LEAST = Limits().pictures
CRASHED_SECONDS = 3600  # a file that has been half written for so long is left from a crash

log = structlog.get_logger()


class EmbeddingCache:
    """Holds the `bound` most recently used encodings, by `Picture.key`. One for a 7B model takes 0.25 MiB in fp16; where
    a picture takes a hundred times that, as Qwen3-VL's of a megapixel does, fewer are held, though always those of one request.

    `folder`, if any, holds encodings of this very model: see `engine.core.startup.picture_folder`.
    """

    def __init__(self, model: VisionLanguageModel, folder: Path | None = None, bound: int = 256, disk_bytes: int = DISK_BYTES) -> None:
        self.model, self.bound = model, bound
        self.encoded: OrderedDict[str, EncodedPicture] = OrderedDict()
        self.disk = None if folder is None else EmbeddingFolder(folder, disk_bytes)

    def missing(self, pictures: Sequence[Picture]) -> list[Picture]:
        """The pictures that are not encoded yet, each once."""
        return [picture for picture in {picture.key: picture for picture in pictures}.values() if not self.knows(picture.key)]

    def knows(self, key: str) -> bool:
        if key not in self.encoded and self.disk is not None:
            found = self.disk.read(key)
            if found is not None:
                self.keep(key, found)
        return key in self.encoded

    @torch.inference_mode()
    def encode(self, pictures: Sequence[Picture]) -> dict[str, EncodedPicture]:
        """The encodings of all `pictures` by key; those that are not encoded yet are encoded in one batch, if they are looked at alike."""
        for model, missing in by_look(self.model, self.missing(pictures)):
            for picture, encoding in zip(missing, model.encode([picture.image for picture in missing]), strict=True):
                self.keep(picture.key, finite(encoding))
                if self.disk is not None:
                    self.disk.write(picture.key, self.encoded[picture.key])
        found = {picture.key: self.encoded[picture.key] for picture in pictures}
        for key in found:
            self.encoded.move_to_end(key)
        while len(self.encoded) > self.bound or (len(self.encoded) > LEAST and self.nbytes > BOUND_BYTES):
            self.encoded.popitem(last=False)
        return found

    @property
    def nbytes(self) -> int:
        return sum(encoding.nbytes for encoding in self.encoded.values())

    def keep(self, key: str, encoding: EncodedPicture) -> None:
        self.encoded[key] = encoding

    def forget(self, sha256s: Iterable[str]) -> None:
        """Drops these pictures' encodings of every look, in memory and on disk."""
        for sha256 in sha256s:
            for key in [key for key in self.encoded if key.startswith(sha256)]:
                del self.encoded[key]
            if self.disk is not None:
                self.disk.delete(sha256)


def stored(file: Any) -> EncodedPicture:
    """An encoding as `to_store` wrote it, from an open safetensors file."""
    facts, names = file.metadata() or {}, file.keys()
    rows, _, columns = facts.get("grid", "").partition(" ")
    deepstack = file.get_tensor("deepstack") if "deepstack" in names else None
    return EncodedPicture(file.get_tensor("embeddings"), facts.get("words", ""), (int(rows), int(columns)) if rows else None, deepstack)


def to_store(encoding: EncodedPicture) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """The tensors and the facts that are kept of it."""
    tensors = {"embeddings": encoding.embeddings} | ({} if encoding.deepstack is None else {"deepstack": encoding.deepstack})
    facts = {"words": encoding.words} | ({} if encoding.grid is None else {"grid": "{} {}".format(*encoding.grid)})
    return {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, facts


def finite(encoding: EncodedPicture) -> EncodedPicture:
    """With 0 in place of values that overflowed in fp16: attention would spread them to tokens whose keys other requests share."""
    deepstack = None if encoding.deepstack is None else encoding.deepstack.nan_to_num(0.0, 0.0, 0.0)
    return replace(encoding, embeddings=encoding.embeddings.nan_to_num(0.0, 0.0, 0.0), deepstack=deepstack)


class EmbeddingFolder:
    """Encodings as safetensors files; once they take more than `limit` bytes, the least recently used are deleted.

    A disk that fails costs time and no answer: what it does not keep is encoded again. Engines that share a folder find
    each other's encodings; each counts only files that it wrote or read towards the limit.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit, self.failed = folder, limit, False
        found = sorted((status.st_mtime_ns, path, status.st_size) for path, status in files(folder, "*.safetensors"))
        self.sizes = OrderedDict((path, size) for _, path, size in found)  # least recently used first
        for path, status in files(folder, f"*{PART}"):
            if status.st_mtime < time.time() - CRASHED_SECONDS:
                with suppress(OSError):
                    path.unlink()

    def read(self, key: str) -> EncodedPicture | None:
        path = self.path(key)
        try:
            with safe_open(path, "pt") as file:
                encoding = stored(file)
            self.sizes[path] = path.stat().st_size
        except (OSError, SafetensorError):  # not there, gone, or damaged: then it is encoded again
            self.sizes.pop(path, None)
            return None
        self.sizes.move_to_end(path)
        with suppress(OSError):  # a disk that can't be written to is read all the same
            os.utime(path)
        return encoding

    def write(self, key: str, encoding: EncodedPicture) -> None:
        path = self.path(key)
        try:
            with replacing(path) as part:
                tensors, facts = to_store(encoding)
                save_file(tensors, part, facts)
                part.chmod(0o600)  # it says what the picture shows
            self.sizes[path] = path.stat().st_size
            while sum(self.sizes.values()) > self.limit:
                oldest, _ = self.sizes.popitem(last=False)
                oldest.unlink(missing_ok=True)
        except (OSError, SafetensorError) as error:
            if not self.failed:
                log.warning("encoded pictures are not kept on disk", folder=str(self.folder), error=str(error))
            self.failed = True

    def delete(self, sha256: str) -> None:
        """Of every look. Raises OSError where that can't be done: somebody wants it gone."""
        for path in self.folder.glob(f"{escape(sha256)}*.safetensors"):
            path.unlink(missing_ok=True)
            self.sizes.pop(path, None)

    def path(self, key: str) -> Path:
        return self.folder / f"{key}.safetensors"


def files(folder: Path, pattern: str) -> Iterator[tuple[Path, os.stat_result]]:
    for path in folder.glob(pattern):
        with suppress(OSError):  # another engine may have removed it just now
            yield path, path.stat()
