"""Real decoders in a real child process, on real hostile files."""

from __future__ import annotations

import asyncio
import hashlib
import random
import signal
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from bot.errors import Refusal
from bot.media.child_process import start
from bot.media.decoder_pool import DecodingLimits, DecodingProcess, command
from bot.media.decoder_worker import ORPHAN_SECONDS
from tests.bot import hostile
from tests.bot.hostile import LIMITS, encode, quarters

pytestmark = pytest.mark.asyncio(loop_scope="module")


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data)).convert("RGB")


def is_red(image: Image.Image, x: int, y: int) -> bool:
    red, _, blue = image.getpixel((x, y))  # type: ignore[misc]  # RGB: three numbers
    return red > 200 and blue < 60


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
async def test_every_format_is_read(decoder: DecodingProcess, kind: str) -> None:
    picture = await decoder.decode(encode(quarters(), kind), kind)
    assert (picture.width, picture.height) == (32, 16)
    assert picture.sha256 == hashlib.sha256(picture.data).hexdigest()
    assert is_red(opened(picture.data), 4, 2)
    assert not is_red(opened(picture.data), 28, 13)
    assert picture.media_type == f"image/{opened_format(picture.data).lower()}"


def opened_format(data: bytes) -> str:
    return Image.open(BytesIO(data)).format or ""


async def test_heic_is_read(decoder: DecodingProcess) -> None:
    """The file is of our own making, red in its left upper quarter: what reads HEIC here can't write it."""
    picture = await decoder.decode((Path(__file__).parent.with_name("data") / "quarter.heic").read_bytes(), "HEIF")
    assert (picture.width, picture.height, picture.media_type) == (128, 64, "image/jpeg")
    assert is_red(opened(picture.data), 16, 8)
    assert not is_red(opened(picture.data), 112, 56)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
async def test_every_mode_of_png_comes_out_as_rgb(decoder: DecodingProcess, mode: str) -> None:
    image = Image.new(mode, (8, 8), 0)
    picture = await decoder.decode(encode(image, "PNG"), "PNG")
    assert Image.open(BytesIO(picture.data)).mode == "RGB"


@pytest.mark.parametrize("bits", [{}, {"transparency": 5}])
async def test_sixteen_bits_keep_their_brightness(decoder: DecodingProcess, bits: dict[str, int]) -> None:
    picture = await decoder.decode(encode(Image.new("I;16", (4, 4), 0x8000), "PNG", **bits), "PNG")
    assert opened(picture.data).getpixel((1, 1)) == (128, 128, 128)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
async def test_exif_rotation_is_applied(decoder: DecodingProcess, orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = quarters()
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}.get(orientation)  # the transposition that such a camera did
    stored = upright if undo is None else upright.transpose(Image.Transpose(undo))
    picture = await decoder.decode(encode(stored, kind, exif=exif), kind)
    assert opened(picture.data).tobytes() == upright.tobytes()


async def test_metadata_is_stripped(decoder: DecodingProcess) -> None:
    exif = Image.Exif()
    exif[0x010E] = "where I live"
    for kind in ("PNG", "JPEG", "WEBP"):
        data = encode(quarters(), kind, exif=exif, icc_profile=b"profile of mine")
        picture = await decoder.decode(data, kind)
        assert b"where I live" in data
        assert b"where I live" not in picture.data
        assert not set(Image.open(BytesIO(picture.data)).info) - {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


async def test_alpha_is_flattened_on_white(decoder: DecodingProcess) -> None:
    picture = await decoder.decode(encode(Image.new("RGBA", (8, 8), (255, 0, 0, 0)), "PNG"), "PNG")
    assert opened(picture.data).getpixel((4, 4)) == (255, 255, 255)


@pytest.mark.parametrize(("size", "expected"), [((1000, 500), (256, 128)), ((3, 2000), (1, 256)), ((256, 256), (256, 256))])
async def test_large_pictures_are_made_smaller(decoder: DecodingProcess, size: tuple[int, int], expected: tuple[int, int]) -> None:
    picture = await decoder.decode(encode(Image.new("RGB", size), "PNG"), "PNG")
    assert (picture.width, picture.height) == expected


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF", "TIFF"])
async def test_the_first_frame_stands_for_an_animation(decoder: DecodingProcess, kind: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:])
    assert is_red(opened((await decoder.decode(data, kind)).data), 8, 8)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("PNG", hostile.png(5000, 5000)),
        ("GIF", hostile.gif_claiming(60000, 60000)),
        ("WEBP", hostile.webp_claiming(16000, 16000)),
        ("TIFF", hostile.tiff_claiming(60000, 60000)),
    ],
)
async def test_a_bomb_is_refused_before_it_is_decoded(decoder: DecodingProcess, kind: str, data: bytes) -> None:
    assert len(data) < 100_000
    with pytest.raises(Refusal) as refused:
        await decoder.decode(data, kind)
    assert (refused.value.key, refused.value.values) == ("picture.too_many_pixels", {"limit": 4.0})


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
async def test_a_truncated_file_is_damaged(decoder: DecodingProcess, kind: str) -> None:
    whole = encode(Image.effect_noise((64, 64), 80).convert("RGB"), kind)
    for part in (20, len(whole) // 2):
        with pytest.raises(Refusal) as refused:
            await decoder.decode(whole[:part], kind)
        assert refused.value.key == "picture.damaged"


async def test_a_palette_that_is_not_there_is_damage(decoder: DecodingProcess) -> None:
    whole = encode(Image.new("P", (8, 8)), "PNG")
    start = whole.index(b"PLTE") - 4
    length = 12 + int.from_bytes(whole[start : start + 4], "big")
    with pytest.raises(Refusal, match="damaged"):
        await decoder.decode(whole[:start] + whole[start + length :], "PNG")


async def test_a_file_of_two_formats_is_read_only_as_what_it_began_as(decoder: DecodingProcess) -> None:
    polyglot = encode(quarters(), "GIF") + encode(Image.new("RGB", (8, 8), "lime"), "PNG") + b"<script>alert(1)</script>"
    picture = await decoder.decode(polyglot, "GIF")
    assert (picture.width, picture.height) == (32, 16)
    assert b"script" not in picture.data


async def test_a_hanging_child_ends_itself_when_its_parent_is_dead() -> None:
    """The parent's part is left out: the child is started by hand and given a picture that never ends, and nobody kills it."""
    child = await start(command(DecodingLimits(seconds=1.0 - ORPHAN_SECONDS)))  # its alarm comes after a second
    with pytest.raises(asyncio.IncompleteReadError):
        await child.exchange(hostile.endless_jpeg(4000, 20_000), {"kind": "JPEG"})
    assert await child.process.wait() == -signal.SIGALRM
    await child.end()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
async def test_bytes_that_rot_give_a_picture_or_a_refusal_and_never_a_dead_decoder(decoder: DecodingProcess, kind: str) -> None:
    chance = random.Random(kind)
    whole = encode(Image.effect_noise((48, 48), 60).convert("RGB"), kind)
    for _ in range(40):
        rotten = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            rotten[chance.randrange(len(rotten))] = chance.randrange(256)
        with suppress(Refusal):
            picture = await decoder.decode(bytes(rotten), kind)
            assert max(picture.width, picture.height) <= LIMITS.side
    assert (await decoder.decode(whole, kind)).width == 48
