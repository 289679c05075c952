"""Keeps pictures that were decoded lately: every follow-up question sends its conversation's pictures again."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock

from engine.images.decode import MEBI, Limits, Picture, decode_picture

BOUND_BYTES = 64 * MEBI
PIXEL_BYTES = 4  # that Pillow takes for RGB


class DecodedCache:
    """Holds at most `bound` bytes; the least recently used picture goes first. Any thread may use it."""

    def __init__(self, bound: int = BOUND_BYTES) -> None:
        self.bound = bound
        self.pictures: OrderedDict[str, Picture] = OrderedDict()
        self.lock = Lock()

    def read(self, data: bytes, limits: Limits, taken: int = 0) -> Picture:
        """As `engine.images.decode.decode_picture`, which is called only for pictures that are not here."""
        picture = self.find(hashlib.sha256(data).hexdigest())
        if picture is None or taken + pixels(picture) > limits.pixels:
            picture = decode_picture(data, limits, taken)
            self.keep(picture)
        return picture

    def find(self, sha256: str) -> Picture | None:
        with self.lock:
            if sha256 in self.pictures:
                self.pictures.move_to_end(sha256)
            return self.pictures.get(sha256)

    def keep(self, picture: Picture) -> None:
        with self.lock:
            self.pictures[picture.sha256] = picture
            while sum(PIXEL_BYTES * pixels(kept) for kept in self.pictures.values()) > self.bound:
                self.pictures.popitem(last=False)

    def forget(self, sha256s: Iterable[str]) -> None:
        with self.lock:
            for sha256 in sha256s:
                self.pictures.pop(sha256, None)


def pixels(picture: Picture) -> int:
    return picture.image.width * picture.image.height
