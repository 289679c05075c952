"""Files that are small to send and grow in what stands beside their pixels: frames, profiles, EXIF, text."""

from __future__ import annotations

import struct
import zlib
from functools import cache
from typing import Final

from PIL import Image

from tests.bot.hostile import chunk, encode

GROWN: Final = 200_000_000  # bytes that a compressed part claims to be
MANY: Final = 60_000


@cache
def zeros() -> bytes:
    compressor = zlib.compressobj(1)
    return b"".join(compressor.compress(bytes(1 << 20)) for _ in range(GROWN >> 20)) + compressor.flush()


def png_with(*chunks: bytes) -> bytes:
    """Before the pixels, where they are read first."""
    whole = encode(Image.new("RGB", (8, 8)), "PNG")
    at = whole.index(b"IDAT") - 4
    return whole[:at] + b"".join(chunks) + whole[at:]


def jpeg_with(marker: int, *segments: bytes) -> bytes:
    whole = encode(Image.new("RGB", (8, 8)), "JPEG")
    return whole[:2] + b"".join(struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data for data in segments) + whole[2:]


def png_profile() -> bytes:
    return png_with(chunk(b"iCCP", b"x\0\0" + zeros()))


def png_text() -> bytes:
    return png_with(chunk(b"zTXt", b"Comment\0\0" + zeros()))


def png_international_text() -> bytes:
    return png_with(chunk(b"iTXt", b"Comment\0\1\0\0\0" + zeros()))


def png_many_texts() -> bytes:
    return png_with(*(chunk(b"tEXt", b"%d\0" % number + b"x" * 100) for number in range(MANY)))


def jpeg_profile() -> bytes:
    """As large as a profile can be, in the wrong order, its first part twice."""
    parts = [b"ICC_PROFILE\0" + bytes((number, 255)) + bytes(65_000) for number in range(255, 0, -1)]
    return jpeg_with(0xE2, *parts, parts[-1])


def tags(count: int, value: int) -> bytes:
    """EXIF of `count` entries that all claim `value` bytes somewhere."""
    entries = b"".join(struct.pack("<HHII", number & 0xFFFF, 7, value, 8) for number in range(count))
    return b"II*\0" + struct.pack("<IH", 8, count) + entries + struct.pack("<I", 8)  # the next directory is this one again


def jpeg_exif() -> bytes:
    return jpeg_with(0xE1, b"Exif\0\0" + tags(5_000, 0x7FFFFFFF))


def png_exif() -> bytes:
    return png_with(chunk(b"eXIf", tags(0xFFFF, 0x7FFFFFFF)))


def png_exif_of_many_bytes() -> bytes:
    """Every entry's value is most of the file: read apart, they would be a gigabyte."""
    body = tags(0x4000, 60_000)
    return png_with(chunk(b"eXIf", body))


def tiff_in_a_circle() -> bytes:
    """A directory that is its own next one."""
    whole = bytearray(encode(Image.new("L", (8, 8)), "TIFF"))
    (at,) = struct.unpack_from("<I", whole, 4)
    (count,) = struct.unpack_from("<H", whole, at)
    struct.pack_into("<I", whole, at + 2 + 12 * count, at)
    return bytes(whole)


def gif_of_many_frames() -> bytes:
    whole = encode(Image.new("P", (2, 2)), "GIF")
    at = whole.index(b"\x2c")
    return whole[:at] + whole[at:-1] * MANY + whole[-1:]


def gif_of_much_comment() -> bytes:
    whole = encode(Image.new("P", (2, 2)), "GIF")
    at = whole.index(b"\x2c")
    return whole[:at] + b"\x21\xfe" + (b"\xff" + b"x" * 255) * MANY + b"\0" + whole[at:]


def avif_without_time() -> bytes:
    """An animation with no units of time in a second: reading its length divides by them."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    whole = bytearray(encode(frames[0], "AVIF", save_all=True, append_images=frames[1:]))
    at = whole.index(b"mdhd") + 24
    whole[at : at + 4] = bytes(4)
    return bytes(whole)


def spider_of_a_stack() -> bytes:
    """A picture that says to be the second of a stack, and there is none."""
    whole = bytearray(encode(Image.new("F", (8, 8)), "SPIDER"))
    struct.pack_into("<f", whole, 4 * 26, 2.0)
    return bytes(whole)


BOMBS: Final = {
    "AVIF: a film without time": ("AVIF", avif_without_time),
    "SPIDER: one of a stack": ("SPIDER", spider_of_a_stack),
    "PNG: a profile that grows": ("PNG", png_profile),
    "PNG: a text that grows": ("PNG", png_text),
    "PNG: an international text that grows": ("PNG", png_international_text),
    "PNG: many texts": ("PNG", png_many_texts),
    "PNG: EXIF of 65,535 entries": ("PNG", png_exif),
    "PNG: EXIF whose entries share their bytes": ("PNG", png_exif_of_many_bytes),
    "JPEG: EXIF that claims gigabytes": ("JPEG", jpeg_exif),
    "JPEG: a profile of 255 parts": ("JPEG", jpeg_profile),
    "TIFF: directories in a circle": ("TIFF", tiff_in_a_circle),
    "GIF: many frames": ("GIF", gif_of_many_frames),
    "GIF: a comment of 15 MB": ("GIF", gif_of_much_comment),
}
