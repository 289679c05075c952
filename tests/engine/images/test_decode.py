"""Bad pictures are refused with the reason and the limit; good ones come out upright, flat and RGB."""

from __future__ import annotations

import base64
import random
import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from engine.errors import PictureError
from engine.images.decode import FORMATS, Limits, decode_data_url, decode_picture, quiet_pillow

LIMITS = Limits()


@pytest.fixture(params=[False, True], ids=["warnings are errors", "as served"])
def _served(request: pytest.FixtureRequest) -> None:
    if request.param:
        quiet_pillow()


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def noise(size: tuple[int, int] = (32, 24)) -> Image.Image:
    return Image.frombytes("RGB", size, random.Random(0).randbytes(size[0] * size[1] * 3))


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises `width` × `height` and holds nothing: a decompression bomb's fuse."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body)) + struct.pack(">I", 0) + b"IDAT"


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_read(form: str) -> None:
    picture = decode_picture(encoded(noise(), form), LIMITS)
    assert (picture.image.mode, picture.image.size) == ("RGB", (32, 24))


def test_identity_is_the_sha256_of_the_bytes() -> None:
    first, second = encoded(noise()), encoded(noise(), compress_level=0)
    assert decode_picture(first, LIMITS).sha256 == decode_picture(first, LIMITS).sha256 != decode_picture(second, LIMITS).sha256


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"hello, I am no picture", "not a picture"),
        (b"%PDF-1.7 named cat.png", "a PDF"),
        (b"\n<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG"),
        (encoded(noise())[:40], "beginning is damaged"),
        (encoded(noise((300, 300)))[:-2000], "truncated"),
        (encoded(noise((300, 300)), "JPEG")[:3000], "truncated"),
        (png_header(8001, 8000), "8001 × 8000 pixels; the limit is 64,000,000"),
        (png_header(10_000, 10_000), "64,000,000"),  # where Pillow itself warns
        (png_header(60_000, 60_000), "64,000,000"),  # where Pillow itself refuses
    ],
)
@pytest.mark.usefixtures("_served")
def test_bad_pictures_name_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(PictureError, match=reason):
        decode_picture(data, LIMITS)


def test_too_many_bytes_name_the_limit() -> None:
    with pytest.raises(PictureError, match=r"20\.5 MiB; the limit is 20 MiB"):
        decode_picture(bytes(20 * (1 << 20) + (1 << 19)), LIMITS)


@pytest.mark.parametrize("form", FORMATS)
def test_damage_anywhere_is_a_picture_error_or_a_picture(form: str) -> None:
    """Decoders raise a zoo of exceptions on damaged bytes; none may leave as anything but PictureError."""
    quiet_pillow()
    dice, whole = random.Random(form), encoded(noise((64, 64)), form)
    for _ in range(150):
        damaged = bytearray(whole[: dice.randrange(len(whole) // 2, len(whole) + 1)])
        for _ in range(dice.randrange(1, 6)):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        try:
            assert decode_picture(bytes(damaged), Limits(pixels=1 << 20)).image.mode == "RGB"
        except PictureError as error:
            assert str(error).endswith(".")  # noqa: PT017 - both outcomes are right; what may not happen is a third


def test_a_wrong_name_for_a_sound_picture_does_no_harm() -> None:
    """The bytes decide: a JPEG declared as PNG (a phone's renamed file) is read as what it is."""
    url = "data:image/png;base64," + base64.b64encode(encoded(noise(), "JPEG")).decode()
    assert decode_picture(decode_data_url(url, LIMITS), LIMITS).image.size == (32, 24)


def test_exif_rotation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned a quarter
    assert decode_picture(encoded(noise((40, 20)), "JPEG", exif=exif), LIMITS).image.size == (20, 40)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparency_shows_white(mode: str) -> None:
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0)).convert(mode)
    form = "PNG" if mode != "PA" else "TIFF"
    assert decode_picture(encoded(clear, form), LIMITS).image.getpixel((0, 0)) == (255, 255, 255)


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    half = Image.new("I;16", (2, 2), 0x8000)
    assert decode_picture(encoded(half), LIMITS).image.getpixel((0, 0)) == (128, 128, 128)


def test_first_frame_of_an_animation() -> None:
    red, blue = Image.new("RGB", (4, 4), "red"), Image.new("RGB", (4, 4), "blue")
    animated = encoded(red, "GIF", save_all=True, append_images=[blue], loop=0)
    assert decode_picture(animated, LIMITS).image.getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://example.org/cat.png", "fetches no addresses"),
        ("file:///etc/passwd", "opens no files"),
        ("data:text/html;base64,aGk=", "declares 'text/html'"),
        ("data:;base64,aGk=", "declares 'no type'"),
        ("data:image/png,aGk", "must be base64"),
        ("data:image/png;base64,a$b=", "not valid base64"),
        ("data:image/png;base64,äöü", "not valid base64"),
        ("data:image/png;base64," + "A" * (30 << 20), r"22\.5 MiB; the limit is 20 MiB"),
    ],
)
def test_bad_urls_name_the_reason(url: str, reason: str) -> None:
    with pytest.raises(PictureError, match=reason):
        decode_data_url(url, LIMITS)


def many_scans(count: int, side: int = 1024) -> bytes:
    """A progressive JPEG whose last pass over the pixels, of a few bytes, is repeated."""
    data = encoded(Image.new("L", (side, side)), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * count + data[-2:]


def test_a_jpeg_of_endless_passes_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = many_scans(3000)
    assert decode_picture(many_scans(20), LIMITS).image.size == (1024, 1024)
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("it was decoded"))
    with pytest.raises(PictureError, match="saved anew"):
        decode_picture(hostile, LIMITS)


def test_decoding_ends_when_its_time_is_over() -> None:
    with pytest.raises(PictureError, match="more than 0 seconds, which is the limit"):
        decode_picture(encoded(noise((400, 400))), Limits(seconds=0))
