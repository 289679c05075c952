"""The door for pictures, from bytes that stream in to a picture or a refusal; decoding is real."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from PIL import Image

from bot.errors import DeliveryError, Refusal
from bot.media.decoder_pool import Decoders, DecodingLimits
from bot.media.intake import AT_ONCE, FileLimits, Intake
from bot.message import Attachment
from tests.bot import hostile
from tests.bot.hostile import encode

LIMITS = FileLimits(size=100_000, seconds=5.0)
RED = encode(Image.new("RGB", (20, 10), "red"), "PNG")


@pytest_asyncio.fixture
async def intake() -> AsyncIterator[Intake]:
    decoders = Decoders(DecodingLimits(pixels=4_000_000, side=256))
    yield Intake(LIMITS, decoders)
    await decoders.close()


@dataclass
class Download:
    """A file that counts how much of it was asked for."""

    data: bytes
    step: int = 1000
    given: int = 0

    async def read(self) -> AsyncIterator[bytes]:
        while self.given < len(self.data):
            part = self.data[self.given : self.given + self.step]
            self.given += len(part)
            yield part


def attached(data: bytes, name: str = "cat.png", size: int | None = None) -> Attachment:
    return Attachment(name, Download(data).read, size)


async def refusal(intake: Intake, attachment: Attachment) -> tuple[str, dict[str, str | int | float]]:
    with pytest.raises(Refusal) as refused:
        await intake.take(attachment)
    return refused.value.key, refused.value.values


async def test_a_picture_is_taken(intake: Intake) -> None:
    picture = await intake.take(attached(RED))
    assert (picture.width, picture.height, picture.media_type) == (20, 10, "image/png")


@pytest.mark.parametrize("name", ["cat.jpg", "cat.exe", "", "notes.txt"])
async def test_the_bytes_count_and_not_the_name(intake: Intake, name: str) -> None:
    assert (await intake.take(attached(RED, name))).width == 20


async def test_a_file_that_claims_too_much_is_not_fetched(intake: Intake) -> None:
    download = Download(RED)
    key, values = await refusal(intake, Attachment("cat.png", download.read, size=100_001))
    assert (key, values["limit"], download.given) == ("picture.too_large", 100_000 / (1 << 20), 0)


async def test_a_file_that_lies_about_its_size_is_cut_off_at_the_limit(intake: Intake) -> None:
    download = Download(RED + bytes(10_000_000))
    key, _ = await refusal(intake, Attachment("cat.png", download.read, size=10))
    assert key == "picture.too_large"
    assert download.given <= LIMITS.size + download.step


async def test_what_is_no_picture_is_not_fetched_to_its_end(intake: Intake) -> None:
    download = Download(b"%PDF-1.7" + bytes(90_000))
    assert (await refusal(intake, Attachment("paper.png", download.read)))[0] == "picture.unknown"
    assert download.given == download.step


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (b"", "picture.empty"),
        (b"MZ\x90\0", "picture.unknown"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "picture.unknown"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "picture.vector"),
        (b"\0\0\0\x20ftypisom\0\0\2\0", "picture.film"),
        (b"\x1aE\xdf\xa3\x01\0\0\0webm", "picture.film"),
        (RED[:40], "picture.damaged"),
        (hostile.png(4000, 4000), "picture.too_many_pixels"),
    ],
)
async def test_each_fault_has_its_own_words(intake: Intake, data: bytes, key: str) -> None:
    assert await refusal(intake, attached(data, "file.png")) == (key, {"name": "file.png"} | ({"limit": 4.0} if "pixels" in key else {}))


async def test_a_download_that_drips_is_given_up() -> None:
    async def drip() -> AsyncIterator[bytes]:
        while True:
            yield RED[:8]
            await asyncio.sleep(0.02)

    decoders = Decoders(DecodingLimits())
    key, values = await refusal(Intake(FileLimits(seconds=0.2), decoders), Attachment("slow.png", drip))
    assert (key, values["seconds"]) == ("picture.fetch_too_slow", 0.2)


async def test_a_download_that_breaks_is_said(intake: Intake) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield RED[:8]
        raise DeliveryError("connection reset")

    assert (await refusal(intake, Attachment("cat.png", broken)))[0] == "picture.not_fetched"


async def test_names_are_made_fit_for_a_sentence(intake: Intake) -> None:
    _, values = await refusal(intake, attached(b"", "a\n\u202eb" + "x" * 300))
    assert values["name"] == "ab" + "x" * 45 + "…"


async def test_two_pictures_are_decoded_side_by_side_and_a_slow_one_holds_up_no_other() -> None:
    decoders = Decoders(DecodingLimits(seconds=200.0), count=2)
    try:
        slow = asyncio.create_task(decoders.decode(hostile.endless_jpeg(4000, 20_000), "JPEG"))
        await asyncio.sleep(0.5)
        assert (await decoders.decode(RED, "PNG")).width == 20
        assert not slow.done()
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
    finally:
        await decoders.close()


async def test_a_cancelled_picture_leaves_no_answer_behind_for_the_next(intake: Intake) -> None:
    decoders = Decoders(DecodingLimits(), count=1)
    try:
        cancelled = asyncio.create_task(decoders.decode(hostile.endless_jpeg(2000, 2000), "JPEG"))
        await asyncio.sleep(0.5)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert (await decoders.decode(RED, "PNG")).width == 20
    finally:
        await decoders.close()


async def test_nothing_is_decoded_or_hashed_in_the_process_of_the_bot(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*given: object, **named: object) -> None:
        raise AssertionError("a picture was handled in the bot's own process")

    monkeypatch.setattr(Image, "open", forbidden)
    monkeypatch.setattr(hashlib, "sha256", forbidden)
    assert len((await intake.take(attached(RED))).sha256) == 64


async def test_only_so_many_files_are_in_memory_at_once(intake: Intake) -> None:
    fetched, go_on = 0, asyncio.Event()

    async def read() -> AsyncIterator[bytes]:
        nonlocal fetched
        fetched += 1
        await go_on.wait()
        yield b"no picture"

    shown = [Attachment("goose.png", read, size) for size in [LIMITS.size] * 2 * AT_ONCE]
    taking = [asyncio.create_task(intake.take(each, f"person {number}")) for number, each in enumerate(shown)]
    async with asyncio.timeout(90):
        while fetched < AT_ONCE:  # noqa: ASYNC110  # the files are read as they can be
            await asyncio.sleep(0)
    for _ in range(100):  # one more would have been asked for by now: all of them are ready
        await asyncio.sleep(0)
    assert fetched == AT_ONCE
    go_on.set()
    refused = await asyncio.gather(*taking, return_exceptions=True)
    assert [each.key for each in refused if isinstance(each, Refusal)] == ["picture.unknown"] * 2 * AT_ONCE


async def test_one_persons_stalled_files_leave_room_for_everybody_else(intake: Intake) -> None:
    async def read() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    stalled = [asyncio.create_task(intake.take(Attachment("goose.png", read, LIMITS.size), "ann")) for _ in range(3 * AT_ONCE)]
    async with asyncio.timeout(90):
        assert (await intake.take(attached(RED), "ben")).width == 20
    for task in stalled:
        task.cancel()
    await asyncio.wait(stalled)


async def test_who_has_the_least_to_decode_is_next() -> None:
    decoders, turns = Decoders(DecodingLimits(), count=1), []

    async def decode(whose: str) -> None:
        await decoders.decode(RED, "PNG", whose)
        turns.append(whose)

    await asyncio.gather(*(decode(whose) for whose in ("ann", "ann", "ann", "ann", "ben")))
    await decoders.close()
    assert turns.index("ben") == 1
