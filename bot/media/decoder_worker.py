"""The child process in which hostile pictures are decoded: `python -I decoder_worker.py LIMITS`, one picture at a time.

It imports nothing of ours, knows no secrets, may write no file and has a bounded address space. Input, repeated: a line
of JSON (`{"kind": …, "bytes": n}`, with `"box"` for a part of the picture,
`"marks"` for boxes to draw on it), then n bytes. Output: READY,
then for each picture a line of JSON and as many bytes as it says. The parent
keeps the time and ends a child that overruns; should the parent be dead, an alarm does.
"""

from __future__ import annotations

import hashlib
import json
import resource
import signal
import struct
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from io import BytesIO
from math import ceil
from typing import BinaryIO, Final, TypedDict

from PIL import AvifImagePlugin, ExifTags, Image, ImageDraw, ImageFont, features

READY: Final = b"ready\n"
LOSSY: Final = frozenset({"JPEG", "WEBP", "AVIF", "HEIF"})  # their noise makes PNG large without keeping anything
JPEG_QUALITY: Final = 92
ORPHAN_SECONDS: Final = 5
LARGER: Final = 1.2  # times the longest side of a result: of a file with no more the parts show no more
OPTIONAL: Final = {"WEBP": "webp", "AVIF": "avif", "JPEG": "jpg"}  # by Pillow's names of them
WHITE: Final = (255, 255, 255, 255)
COLOURS: Final = ("#c01c28", "#1a5fb4", "#26702f", "#813d9c", "#a34b00", "#0b6e74")  # white letters can be read on each
# What Pillow raises on a damaged file, found by `python -m tests.hostile`.
DAMAGE: Final = (
    *(OSError, SyntaxError, ValueError, LookupError, TypeError, RuntimeError, EOFError, ArithmeticError, struct.error),
    AssertionError,  # on a PNG with a palette that has none
    AttributeError,  # on a SPIDER of a stack that is not there
)
UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class WorkerLimits(TypedDict):
    """`memory` in bytes of address space, `pixels` before decoding, `side` of the result in pixels, `seconds` for one picture."""

    memory: int
    pixels: int
    side: int
    seconds: float


class Header(TypedDict, total=False):
    """The line of JSON about one picture: of a result (`file_side`: pixels of the file's longer side, where that shows more), or the
    reason (`damaged`, `pixels`, `memory`, `no_decoder`) why there is none."""

    reason: str
    bytes: int
    media_type: str
    sha256: str
    width: int
    height: int
    file_side: int


def expand(image: Image.Image) -> Image.Image:
    """The picture as 8-bit RGB or RGBA, whatever it was stored as."""
    if image.mode.startswith("I;16"):  # before transparency, which Pillow would give it by cutting off all above 255
        return image.convert("I").point(lambda value: value / 256).convert("RGB")
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode in {"I", "F"}:
        low, high = (float(bound) for bound in image.getextrema())  # type: ignore[arg-type]  # one band: two numbers
        scale = 255 / (high - low or 1)
        return image.point(lambda value: value * scale - low * scale).convert("RGB")
    return image.convert("RGB")


def flatten(image: Image.Image) -> Image.Image:
    """A new picture without alpha, on white, and without anything that came along in the file."""
    ground = Image.new("RGBA" if image.mode == "RGBA" else "RGB", image.size, WHITE)
    if image.mode == "RGBA":
        ground.alpha_composite(image)
    else:
        ground.paste(image)
    return ground.convert("RGB")


def orientation(image: Image.Image) -> int:
    """EXIF's orientation, 1 to 8; damaged metadata is no reason to refuse a picture."""
    with suppress(*DAMAGE):
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    return 1


def normalise(data: bytes, kind: str, side: int, box: Sequence[int] | None = None) -> Image.Image:
    """Decode the first frame: upright, flat, at most `side` pixels long. `box`: only this part of it, its edges in thousandths of the
    upright picture's sides."""
    image: Image.Image = Image.open(BytesIO(data), formats=[kind])
    if box is None:
        image.draft("RGB", (side, side))
    image.load()
    turn = UPRIGHT.get(orientation(image))  # asked now: what Pillow turns by itself in decoding (TIFF) is upright already
    if box is not None:
        image, turn = image if turn is None else image.transpose(turn), None
        image = image.crop(edges(image.size, box))
    small = expand(image)
    small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return flatten(small if turn is None else small.transpose(turn))


def larger_side(data: bytes, kind: str, side: int) -> int:
    """The longer side of a file that could be decoded, in pixels, where that is clearly more than `side`; else 0."""
    with Image.open(BytesIO(data), formats=[kind]) as image:
        longer = max(image.size)
    return longer if longer > side * LARGER else 0


def edges(size: tuple[int, int], box: Sequence[int]) -> tuple[int, int, int, int]:
    """The pixels of a part, at least one each way."""
    (width, height), (left, top, right, bottom) = size, box
    x, y = min(width * left // 1000, width - 1), min(height * top // 1000, height - 1)
    return x, y, max(-(-width * right // 1000), x + 1), max(-(-height * bottom // 1000), y + 1)


def draw(image: Image.Image, marks: Sequence[Sequence[int | str]]) -> Image.Image:
    """Numbered boxes on the picture: edges in thousandths of its sides, then a label, each in a colour that the next has not."""
    unit = max(image.size) / 600
    line, font, pen = max(2, round(2 * unit)), ImageFont.load_default(max(11, 13 * unit)), ImageDraw.Draw(image)
    for number, (*edge, label) in enumerate(marks):
        colour = COLOURS[number % len(COLOURS)]
        left, top, right, bottom = edges(image.size, [int(each) for each in edge])
        pen.rectangle((left, top, right - 1, bottom - 1), outline=colour, width=line)
        x, y, far, low = pen.textbbox((0, 0), str(label), font=font)
        wide, high = far - x + 4 * line, low - y + 2 * line
        at_x, at_y = max(0, min(left, image.width - wide)), top - high if top >= high else top
        pen.rectangle((at_x, at_y, at_x + wide, at_y + high), fill=colour)
        pen.text((at_x + 2 * line - x, at_y + line - y), str(label), fill="white", font=font)
    return image


def encode(image: Image.Image, kind: str) -> tuple[Header, bytes]:
    out = BytesIO()
    if kind in LOSSY:
        image.save(out, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    else:
        image.save(out, "PNG")
    data = out.getvalue()
    digest = hashlib.sha256(data).hexdigest()
    media_type = "image/jpeg" if kind in LOSSY else "image/png"
    return Header(bytes=len(data), media_type=media_type, sha256=digest, width=image.width, height=image.height), data


def has_decoder(kind: str) -> bool:
    """Pillow reads some formats only where it was built, or installed, with another library."""
    name = OPTIONAL.get(kind)
    return kind in Image.OPEN and (name is None or bool(features.check(name)))


def answer(
    data: bytes, kind: str, side: int, box: Sequence[int] | None = None, marks: Sequence[Sequence[int | str]] = ()
) -> tuple[Header, bytes]:
    if not has_decoder(kind):
        return Header(reason="no_decoder", bytes=0), b""
    try:
        image = normalise(data, kind, side, box)
        if marks:
            return encode(draw(image, marks), "JPEG")
        header, result = encode(image, kind)
        return Header(**header, file_side=larger_side(data, kind, side) if box is None else 0), result
    except Image.DecompressionBombError:
        return Header(reason="pixels", bytes=0), b""
    except MemoryError:
        return Header(reason="memory", bytes=0), b""
    except DAMAGE:
        return Header(reason="damaged", bytes=0), b""


def confine(limits: WorkerLimits) -> None:
    """Bound what any decoder, however broken, can take; one thread each, since stacks count as address space."""
    if sys.platform == "linux":  # macOS refuses to bound an address space; pixels and time are bounded there too
        resource.setrlimit(resource.RLIMIT_AS, (limits["memory"], limits["memory"]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    Image.MAX_IMAGE_PIXELS = limits["pixels"] // 2  # Pillow only warns up to twice this, and refuses above
    warnings.simplefilter("ignore")


def add_heif() -> None:
    with suppress(ImportError):
        from pi_heif import register_heif_opener  # type: ignore[import-untyped]  # ships no types

        register_heif_opener(decode_threads=1, thumbnails=False, depth_images=False, aux_images=False)


def serve(requests: BinaryIO, answers: BinaryIO, limits: WorkerLimits) -> None:
    while line := requests.readline():
        request = json.loads(line)
        data = requests.read(request["bytes"])
        signal.alarm(ceil(limits["seconds"]) + ORPHAN_SECONDS)  # ends a decoder that hangs, in C too, after its parent has died
        header, data = answer(data, request["kind"], limits["side"], request.get("box"), request.get("marks") or ())
        signal.alarm(0)
        answers.write(json.dumps(header).encode() + b"\n" + data)
        answers.flush()


def main() -> None:
    limits: WorkerLimits = json.loads(sys.argv[1])
    Image.init()
    add_heif()
    confine(limits)
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()
    serve(sys.stdin.buffer, sys.stdout.buffer, limits)


if __name__ == "__main__":
    main()
