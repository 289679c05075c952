"""Files that attack a decoder, made here so that nobody has to keep one: small to send, dear to open."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

from PIL import Image

from bot.media.decoder_pool import DecodingLimits

LIMITS = DecodingLimits(pixels=4_000_000, side=256, seconds=20.0)


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, rows: int | None = None) -> bytes:
    """A grey PNG of zeros; `rows` fewer than `height` make it end early."""
    compressor = zlib.compressobj(9)
    body = b"".join(compressor.compress(bytes(width + 1)) for _ in range(height if rows is None else rows)) + compressor.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def gif_claiming(width: int, height: int) -> bytes:
    small = bytearray(encode(Image.new("P", (2, 2)), "GIF"))
    small[6:10] = struct.pack("<HH", width, height)
    return bytes(small)


def webp_claiming(width: int, height: int) -> bytes:
    """An extended WebP whose canvas is large and whose one frame is small."""
    frame = encode(Image.new("RGBA", (2, 2), (1, 2, 3, 4)), "WEBP", lossless=True)[12:]
    canvas = b"\x10\0\0\0" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + canvas + frame[frame.index(b"VP8L") :]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tiff_claiming(width: int, height: int) -> bytes:
    """A deflated TIFF of a few bytes whose header claims `width` × `height`."""
    strip = zlib.compress(bytes(1 << 20), 9)
    entries = [(256, width), (257, height), (258, 8), (259, 8), (262, 1), (273, 8), (277, 1), (278, height), (279, len(strip))]
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    strip += bytes(len(strip) % 2)
    return b"II*\0" + struct.pack("<I", 8 + len(strip)) + strip + directory + bytes(4)


def endless_jpeg(side: int, scans: int) -> bytes:
    """A progressive JPEG that repeats its first refinement scan: each costs a pass over all blocks, and a few bytes."""
    data = encode(Image.new("L", (side, side), 128), "JPEG", progressive=True)
    starts = [at for at in range(len(data) - 1) if data[at : at + 2] == b"\xff\xda"]
    refinement = data[starts[-1] : -2]
    return data[:-2] + refinement * scans + b"\xff\xd9"


def quarters(mode: str = "RGB") -> Image.Image:
    """32 × 16, the left upper quarter red: shows every turn."""
    image = Image.new("RGB", (32, 16), "blue")
    image.paste("red", (0, 0, 16, 8))
    return image.convert(mode)
