"""Decodes and checks pictures from the network: what comes out is an undamaged RGB picture of bounded size.

A picture's format is read from its bytes, never from its name or declared subtype. Every refusal names the reason and, where one
was passed, the limit.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import string
import struct
import time
import warnings
import zlib
from dataclasses import dataclass, field
from io import BytesIO

from PIL import Image, ImageOps, UnidentifiedImageError

from engine.errors import PictureError
from engine.models.looks import USUAL, Look

BASE64_LETTERS = str.maketrans("-_", "+/", string.whitespace)  # base64url → base64, line breaks removed
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
MEBI = 1 << 20
SCANNED_PIXELS = 2_000_000_000  # of a progressive JPEG, over all its scans: ten seconds' work; a camera's are ten scans
SCAN = b"\xff\xda"
HEADER = re.compile(r"data:(?P<type>[^;,]*)(?P<parameters>(?:;[^;,]*)*),", re.ASCII | re.IGNORECASE)
# What Pillow's decoders raise on damaged files, found by `python -m tests.hostile`.
DECODE_ERRORS = (
    *(OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, ArithmeticError, RuntimeError, struct.error, zlib.error),
    *(AssertionError, AttributeError),
)
FOREIGN = {
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a ZIP archive",
    b"<svg": "an SVG drawing",
    b"<!DO": "a web page",
    b"<htm": "a web page",
    b"\x7fELF": "a program",
}


@dataclass(frozen=True)
class Limits:
    """What one request may carry."""

    bytes: int = 20 * MEBI  # one picture, encoded
    pixels: int = 64_000_000  # all pictures, width × height
    pictures: int = 16
    seconds: float = 10.0  # decoding one picture
    characters: int = 500_000  # all texts: a hundred windows full, read in half a second


@dataclass(frozen=True)
class Picture:
    """A checked picture: RGB, upright, first frame. `sha256` of the encoded bytes is its identity; `look` is how it is to be looked at."""

    image: Image.Image = field(compare=False, repr=False)
    sha256: str
    look: Look = USUAL

    @property
    def key(self) -> str:
        """By which encodings are told apart: its sha256, and behind that the look if it is not the usual one."""
        return self.sha256 if self.look == USUAL else f"{self.sha256}-{self.look}"


class TimedBytes(BytesIO):
    """A file in memory that ends the decoding of its picture, which reads piece by piece, after so many seconds."""

    def __init__(self, data: bytes, seconds: float) -> None:
        super().__init__(data)
        self.seconds, self.until = seconds, time.monotonic() + seconds

    def read(self, size: int | None = -1, /) -> bytes:
        if time.monotonic() > self.until:
            raise PictureError(f"Decoding the picture takes more than {self.seconds:g} seconds, which is the limit. Send a smaller one.")
        return super().read(size)


def quiet_pillow() -> None:
    """Silences Pillow's warnings (large pictures, odd EXIF) in this process: our own limits check what matters."""
    warnings.filterwarnings("ignore", module=r"PIL\.")


def decode_data_url(url: str, limits: Limits) -> bytes:
    """The bytes of a base64 data URL. Raises PictureError for other URLs: the engine fetches nothing."""
    header = HEADER.match(url)
    if header is None:
        raise PictureError(
            "Send the picture itself as a data URL (`data:image/png;base64,…`): the engine fetches no addresses and opens no files."
        )
    if not header["type"].lower().startswith("image/"):
        raise PictureError(f"The data URL declares {header['type'][:40] or 'no type'!r}, not a picture (`image/…`).")
    if not header["parameters"].lower().endswith(";base64"):
        raise PictureError("The picture's data URL must be base64 (`data:image/png;base64,…`).")
    payload = url[header.end() :]
    if len(payload) * 3 // 4 > limits.bytes + MEBI:  # before decoding; a little room for line breaks and padding
        raise too_many_bytes(len(payload) * 3 // 4, limits)
    try:
        letters = payload.translate(BASE64_LETTERS).rstrip("=")
        return base64.b64decode(letters + "=" * (-len(letters) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise PictureError("The picture's data URL is not valid base64.") from None


def decode_picture(data: bytes, limits: Limits, taken: int = 0) -> Picture:
    """Encoded bytes of any size → an upright RGB picture, an animation's first frame. Takes CPU: call it off the event loop.

    `taken` are the pixels of the request's pictures before it.
    """
    if len(data) > limits.bytes:
        raise too_many_bytes(len(data), limits)
    image = open_header(data, limits)
    width, height = image.size
    if taken + width * height > limits.pixels:
        before = f", and those before it {taken:,}" if taken else ""
        raise PictureError(f"The picture has {width} × {height} pixels{before}; the limit is {limits.pixels:,} in all. Send a smaller one.")
    if scans(image, data) * width * height > SCANNED_PIXELS:
        raise PictureError("The JPEG picture is stored in so many passes that decoding would take minutes. Send it saved anew.")
    try:
        image.load()
        upright = flatten(ImageOps.exif_transpose(image))
    except DECODE_ERRORS as error:
        raise PictureError(f"The {image.format} picture is truncated or damaged: {error}.") from None
    return Picture(upright, hashlib.sha256(data).hexdigest())


def open_header(data: bytes, limits: Limits) -> Image.Image:
    """Reads a picture's header only: nothing is decoded yet, so a bomb costs nothing."""
    if not data:
        raise PictureError("The picture is empty (0 bytes).")
    try:
        return Image.open(TimedBytes(data, limits.seconds), formats=FORMATS)
    except UnidentifiedImageError:
        found = FOREIGN.get(data.lstrip()[:4])
        what = f"not a picture but {found}" if found else "not a picture, or its beginning is damaged"
        raise PictureError(f"This is {what}: send one of {', '.join(FORMATS)}.") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PictureError(f"The picture has far more than {limits.pixels:,} pixels, which is the limit. Send a smaller one.") from None
    except DECODE_ERRORS as error:
        raise PictureError(f"The picture's header is truncated or damaged: {error}.") from None


def scans(image: Image.Image, data: bytes) -> int:
    """How often a progressive JPEG goes over all its pixels, at most; each time may take a few bytes. Other pictures: once."""
    return data.count(SCAN) if image.info.get("progressive") else 1


def flatten(image: Image.Image) -> Image.Image:
    """Any mode → RGB: 16-bit greys are scaled, not clipped; transparency shows white."""
    if image.mode.startswith("I"):
        image = image.point(lambda value: value * (1 / 256)).convert("L")
    if image.has_transparency_data:
        overlay = image.convert("RGBA")
        backdrop = Image.new("RGBA", overlay.size, "white")
        image = Image.alpha_composite(backdrop, overlay)
    return image if image.mode == "RGB" else image.convert("RGB")


def too_many_bytes(size: int, limits: Limits) -> PictureError:
    return PictureError(f"The picture has {size / MEBI:.1f} MiB; the limit is {limits.bytes / MEBI:g} MiB. Send a smaller one.")
