"""Files of the formats that Pillow opens and does not write, or not small, made by hand: 8 × 8 pixels, but for PCD."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Final

from PIL import Image

from tests.bot.hostile import encode

SIDE: Final = 8
GREY: Final = bytes(range(SIDE * SIDE))
RGB: Final = bytes(range(SIDE * SIDE)) * 3


def cur() -> bytes:
    """A cursor is a bitmap of twice the height: its lower half is the mask."""
    bitmap = encode(Image.new("RGBA", (SIDE, 2 * SIDE), "red"), "DIB")
    return struct.pack("<HHHBBBBHHII", 0, 2, 1, SIDE, SIDE, 0, 0, 0, 0, len(bitmap), 22) + bitmap


def dcx() -> bytes:
    page = encode(Image.new("L", (SIDE, SIDE), 9), "PCX")
    return struct.pack("<III", 0x3ADE68B1, 12, 0) + page


def fits() -> bytes:
    cards = (
        "SIMPLE  =                    T",
        "BITPIX  =                    8",
        "NAXIS   =                    2",
        "NAXIS1  = 8",
        "NAXIS2  = 8",
        "END",
    )
    return "".join(card.ljust(80) for card in cards).encode().ljust(2880) + GREY.ljust(2880, b"\0")


def fli() -> bytes:
    rows = b"".join(struct.pack("<BBB", 1, SIDE, row) for row in range(SIDE))
    chunk = struct.pack("<IH", 6 + len(rows), 15) + rows
    frame = struct.pack("<IHH8x", 16 + len(chunk), 0xF1FA, 1) + chunk
    head = struct.pack("<IHHHHHHI", 128 + len(frame), 0xAF12, 1, SIDE, SIDE, 8, 3, 10)
    return head.ljust(128, b"\0") + frame


def ftex() -> bytes:
    return struct.pack("<4s7ii", b"FTEX", 1, SIDE, SIDE, 1, 1, 1, 32, len(RGB)) + RGB


def gbr() -> bytes:
    return struct.pack(">5I4sI", 33, 2, SIDE, SIDE, 1, b"GIMP", 10) + b"tiny\0" + GREY


def icns() -> bytes:
    """Pillow writes ten sizes up to 1,024 pixels: half a megabyte."""
    icon = encode(Image.new("RGBA", (16, 16), "red"), "PNG")
    return struct.pack(">4sI4sI", b"icns", 16 + len(icon), b"icp4", 8 + len(icon)) + icon


def imt() -> bytes:
    return b"*" + b" " * 90 + b"\nwidth 8\nheight 8\npixel n8\n\x0c" + GREY


def iptc() -> bytes:
    fields = ((3, 60, b"\1\0"), (3, 20, b"\0\x08"), (3, 30, b"\0\x08"), (3, 120, b"\1"), (8, 10, GREY))
    return b"".join(struct.pack(">BBBH", 0x1C, *tag, len(data)) + data for *tag, data in fields)


def mcidas() -> bytes:
    words = [0] * 64
    words[1], words[8], words[9], words[10], words[13], words[33] = 4, SIDE, SIDE, 1, 1, 256
    return struct.pack("!64i", *words) + GREY


def mpeg() -> bytes:
    return b"\0\0\1\xb3" + bytes((0, 0x80, 0x08)) + bytes(range(64))


def pcd() -> bytes:
    return bytes(2048) + b"PCD_".ljust(2048 * 95, b"\0") + bytes(768 * 512 * 3 // 2)


def pixar() -> bytes:
    head = bytearray(1024)
    head[:4] = b"\200\350\0\0"
    struct.pack_into("<HH4xHH", head, 416, SIDE, SIDE, 14, 2)
    return bytes(head) + RGB


def psd() -> bytes:
    return struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, SIDE, SIDE, 8, 3) + bytes(12) + b"\0\0" + RGB


def sun() -> bytes:
    return struct.pack(">8I", 0x59A66A95, SIDE, SIDE, 24, len(RGB), 1, 0, 0) + RGB


def xpm() -> bytes:
    return b'/* XPM */\nstatic char *x[] = {\n"8 8 2 1",\n"a c #ff0000",\n"b c None",\n' + b'"abababab",\n' * SIDE + b"};\n"


def xvthumb() -> bytes:
    return b"P7 332\n#IMGINFO\n#END_OF_COMMENTS\n8 8 255\n" + GREY


def stub(magic: bytes) -> Callable[[], bytes]:
    """Of a format that Pillow tells by its first bytes and leaves to others to read."""
    return lambda: magic + bytes(range(256))


BY_HAND: Final[Mapping[str, Callable[[], bytes]]] = {
    "BUFR": stub(b"BUFR"),
    "CUR": cur,
    "DCX": dcx,
    "FITS": fits,
    "FLI": fli,
    "FTEX": ftex,
    "GBR": gbr,
    "GRIB": stub(b"GRIB\0\0\0\1"),
    "HDF5": stub(b"\x89HDF\r\n\x1a\n"),
    "ICNS": icns,
    "IMT": imt,
    "IPTC": iptc,
    "MCIDAS": mcidas,
    "MPEG": mpeg,
    "PCD": pcd,
    "PIXAR": pixar,
    "PSD": psd,
    "SUN": sun,
    "WMF": stub(b"\xd7\xcd\xc6\x9a\0\0" + struct.pack("<4hH", 0, 0, 80, 80, 96)),
    "XPM": xpm,
    "XVTHUMB": xvthumb,
}
UNREADABLE: Final = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"})  # known to Pillow and read by other programs, if at all
