"""A few sound pictures of every format that Pillow opens, to be mutated: small, and with all the parts that a format has."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from PIL import Image, ImageCms, PngImagePlugin

from bot.media.decoder_worker import add_heif
from tests.bot.hostile import encode
from tests.hostile.rare_formats import BY_HAND

SIDE: Final = 12
MODES: Final = ("RGB", "RGBA", "L", "LA", "P", "1", "I;16", "F", "CMYK")
ANIMATED: Final = frozenset({"GIF", "WEBP", "PNG", "AVIF", "TIFF"})
HEIC: Final = Path(__file__).parents[1] / "bot" / "data" / "quarter.heic"
REFUSES: Final = (OSError, ValueError, KeyError, SystemError)  # what Pillow raises for a mode that a format has no room for


@cache
def sound_pictures() -> Mapping[str, tuple[bytes, ...]]:
    """Pillow's name of a format → its files."""
    Image.init()
    add_heif()
    with warnings.catch_warnings(action="ignore"):  # formats that Pillow will give up
        return {kind: tuple(made(kind)) for kind in sorted(Image.OPEN)}


def made(kind: str) -> Iterator[bytes]:
    if kind in BY_HAND:
        yield BY_HAND[kind]()
    elif kind == "HEIF":
        yield HEIC.read_bytes()
    else:
        yield from written(kind)
    if kind == "JPEG":
        yield from written("MPO")  # several JPEGs in one file, opened as JPEG


def written(kind: str) -> Iterator[bytes]:
    """One file for each mode that the format takes, and one with everything that can come along."""
    noise = Image.effect_noise((SIDE, SIDE), 60)
    for mode in MODES:
        try:
            yield encode(noise.convert("RGB").convert(mode), kind)
        except REFUSES:
            continue
    if kind in ANIMATED:
        exif, text = Image.Exif(), PngImagePlugin.PngInfo()
        exif[0x0112], exif[0x010E] = 6, "what is told beside the picture"
        text.add_text("Comment", "a goose")
        text.add_text("Comment", "another goose", zip=True)
        text.add_itxt("Comment", "鹅", zip=True)
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        pnginfo = {"pnginfo": text} if kind == "PNG" else {}
        more = {} if kind in {"GIF", "AVIF"} else {"exif": exif, "icc_profile": profile}  # libavif dies of writing them
        frames = [Image.new("RGB", (SIDE, SIDE), colour) for colour in ("red", "blue", "lime")]
        yield encode(frames[0], kind, save_all=True, append_images=frames[1:], **more, **pnginfo)
