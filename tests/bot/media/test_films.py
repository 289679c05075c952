"""Films give frames in their order with their times, and hostile ones a refusal that says the limit. The worker is real."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from importlib.util import find_spec
from io import BytesIO

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image

from bot.errors import Refusal
from bot.media.decoder_pool import Decoders, DecodingLimits
from bot.media.films import FilmFrames, FilmSampling
from bot.media.intake import FileLimits, Intake, recognise
from bot.message import Picture
from tests.bot.rig import attachment

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(find_spec("av") is None, reason="the extra `films` is not installed"),
]

COLOURS = {"red": (255, 0, 0), "lime": (0, 255, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0)}
SIZE = (64, 48)


def film(codec: str, container: str, *, gap: int = 100, seconds: int = 1, colours: Sequence[str] = tuple(COLOURS)) -> bytes:
    """So many seconds of each colour, ten frames a second. `gap`: frames from a key frame to the next."""
    import av

    out = BytesIO()
    with av.open(out, "w", format=container) as made:
        stream = made.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = *SIZE, "yuv420p", gap
        for colour in colours:
            for _ in range(10 * seconds):
                frame = av.VideoFrame.from_ndarray(np.full((SIZE[1], SIZE[0], 3), COLOURS[colour], np.uint8), "rgb24")
                made.mux(stream.encode(frame))
        made.mux(stream.encode())
    return out.getvalue()


def moving(kind: str, durations: Sequence[int]) -> bytes:
    out, first, *others = BytesIO(), *(Image.new("RGB", SIZE, colour) for colour in COLOURS)
    first.save(out, kind, save_all=True, append_images=others, duration=list(durations), loop=0)
    return out.getvalue()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def intake() -> AsyncIterator[Intake]:
    frames, decoders = FilmFrames(FilmSampling(pixels=100_000, length=30)), Decoders(DecodingLimits())
    yield Intake(FileLimits(), decoders, frames)
    await frames.close()
    await decoders.close()


def seen(pictures: Sequence[Picture]) -> list[tuple[str, float | None]]:
    """The colour of each frame, and its time."""
    found = []
    for picture in pictures:
        data = Image.open(BytesIO(picture.data)).convert("RGB").crop((9, 9, 10, 10)).tobytes()
        near = {name: sum(abs(a - b) for a, b in zip(data, rgb, strict=True)) for name, rgb in COLOURS.items()}
        found.append((min(near, key=near.__getitem__), picture.seconds))
    return found


@pytest.mark.parametrize(("codec", "container"), [("libx264", "mp4"), ("mpeg4", "mov"), ("libvpx-vp9", "webm")])
@pytest.mark.parametrize("gap", [5, 1000])
async def test_a_film_gives_the_middles_of_its_quarters(intake: Intake, codec: str, container: str, gap: int) -> None:
    frames = await intake.take_all(attachment(film(codec, container, gap=gap)))
    assert seen(frames) == [("red", 0.5), ("lime", 1.5), ("blue", 2.5), ("yellow", 3.5)]


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
async def test_what_moves_gives_frames_by_the_time_they_are_shown(intake: Intake, kind: str) -> None:
    assert seen(await intake.take_all(attachment(moving(kind, [1000, 1000, 1000, 1000])))) == [
        ("red", 0.0),
        ("lime", 1.0),
        ("blue", 2.0),
        ("yellow", 3.0),
    ]
    assert [colour for colour, _ in seen(await intake.take_all(attachment(moving(kind, [200, 200, 200, 9400]))))] == list(COLOURS)


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
async def test_what_stands_still_is_a_picture(intake: Intake, kind: str) -> None:
    out = BytesIO()
    Image.new("RGB", SIZE, "red").save(out, kind)
    [picture] = await intake.take_all(attachment(out.getvalue()))
    assert picture.seconds is None


async def refusal(intake: Intake, data: bytes) -> tuple[str, str | int | float | None]:
    with pytest.raises(Refusal) as refused:
        await intake.take_all(attachment(data))
    return refused.value.key, refused.value.values.get("limit", refused.value.values.get("seconds"))


async def test_each_limit_is_said(intake: Intake) -> None:
    assert await refusal(intake, film("mpeg4", "mp4", seconds=9)) == ("film.too_long", 0.5)
    out = BytesIO()
    Image.new("RGB", (400, 300)).save(out, "GIF", save_all=True, append_images=[Image.new("RGB", (400, 300), "red")])
    assert await refusal(intake, out.getvalue()) == ("film.too_many_pixels", 0.1)


async def test_ten_thousand_frames_are_refused(intake: Intake) -> None:
    frame = b"\x21\xf9\x04\x00\x01\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00"
    gif = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff" + frame * 10_000 + b";"
    assert await refusal(intake, gif) == ("film.too_many_moves", 2_000)


async def test_damaged_films_are_said_and_the_next_one_is_read(intake: Intake) -> None:
    whole = film("mpeg4", "mp4")
    for broken in (whole[:900], b"\0\0\0\x20ftypisom" + b"\0" * 600, b"\x1aE\xdf\xa3" + bytes(range(256)) * 4):
        assert (await refusal(intake, broken))[0] == "picture.damaged"
    assert len(await intake.take_all(attachment(whole))) == 4


def without_key_frames(data: bytes) -> bytes:
    import av

    out = BytesIO()
    with av.open(BytesIO(data)) as whole, av.open(out, "w", format="mp4") as made:
        stream = made.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(whole.streams.video[0]):
            if packet.dts is not None and not packet.is_keyframe:
                packet.stream = stream
                made.mux(packet)
    return out.getvalue()


async def test_a_film_with_one_key_frame_is_seen_to_its_end_and_one_without_is_refused(intake: Intake) -> None:
    seconds = 6 * len(COLOURS) * 5
    frames = FilmFrames(FilmSampling(length=seconds))
    long = await frames.take(film("libx264", "mp4", gap=10_000, seconds=6 * 5), "MP4")
    assert seen(long) == [("red", 15.0), ("lime", 45.0), ("blue", 75.0), ("yellow", 105.0)]
    await frames.close()
    assert await refusal(intake, without_key_frames(film("libx264", "mp4", gap=10_000))) == ("film.no_key_frames", None)


async def test_an_endless_film_is_ended_and_said() -> None:
    frames = FilmFrames(FilmSampling(seconds=0.001))
    with pytest.raises(Refusal) as refused:
        await frames.take(film("mpeg4", "mp4"), "MP4")
    assert (refused.value.key, refused.value.values) == ("picture.too_slow", {"seconds": 0.001})
    await frames.close()


async def test_without_what_opens_films_they_are_refused_and_gifs_stand_still() -> None:
    decoders = Decoders(DecodingLimits())
    bare = Intake(FileLimits(), decoders)
    assert (await refusal(bare, film("mpeg4", "mp4")))[0] == "picture.film"
    assert [frame.seconds for frame in await bare.take_all(attachment(moving("GIF", [100] * 4)))] == [None]
    await decoders.close()
    assert recognise(b"\0\0\0\x20ftypisom") == "MP4"
