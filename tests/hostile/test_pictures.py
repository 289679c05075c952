"""Two thousand mutated pictures and every kind of bomb: a picture or a refusal in words, and both decoders live on."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # ships no types
import pytest
import pytest_asyncio
from PIL import Image

from bot.errors import Refusal
from bot.media.decoder_pool import DecodingProcess
from engine.images.decode import quiet_pillow
from tests.hostile.bombs import BOMBS
from tests.hostile.pictures import LIMITS, drawn, engine_process, started, through_engine, try_batch
from tests.hostile.rare_formats import UNREADABLE
from tests.hostile.sound_pictures import sound_pictures

SEED = 20261130
IN_CI = 2_000
MOST_BYTES = 300 << 20  # of the decoder, at its largest: a bomb of 200 MB that was inflated would be above

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def decoder() -> AsyncIterator[DecodingProcess]:
    process = DecodingProcess(LIMITS)
    yield process
    await process.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def child(decoder: DecodingProcess) -> psutil.Process:
    """The decoder's process: the same one after every bomb."""
    await decoder.close()
    return await started(decoder)


async def test_what_is_mutated_was_sound_before(decoder: DecodingProcess) -> None:
    """Else the batches would try little more than the first lines of each reader."""
    Image.init()
    assert set(sound_pictures()) >= set(Image.OPEN)
    for kind, files in sound_pictures().items():
        assert files, kind
        for data in files if kind not in UNREADABLE else ():
            assert (await decoder.decode(data, kind)).width


async def test_two_thousand_mutated_pictures_crash_nothing() -> None:
    with engine_process() as pool:
        found = await try_batch(list(drawn(SEED, 0, IN_CI)), pool)
    assert found.crashes == []
    assert found.bot.total() == found.engine.total() == IN_CI
    assert found.bot["decoded"] > IN_CI // 10
    assert set(found.bot) <= {"decoded", "picture.damaged", "picture.too_many_pixels", "picture.too_much_memory"}
    assert found.bytes < MOST_BYTES


async def test_the_same_batch_is_drawn_again() -> None:
    assert list(drawn(SEED, 3, 50)) == list(drawn(SEED, 3, 50))
    assert list(drawn(SEED, 3, 50)) != list(drawn(SEED, 4, 50))


@pytest.mark.parametrize(("kind", "make"), BOMBS.values(), ids=BOMBS.keys())
async def test_what_grows_beside_the_pixels_costs_little(
    decoder: DecodingProcess, child: psutil.Process, kind: str, make: Callable[[], bytes]
) -> None:
    data = make()
    assert await through_bot(decoder, data, kind) in {"decoded", "picture.damaged", "picture.too_much_memory"}
    assert peak_bytes(child) < MOST_BYTES
    with warnings.catch_warnings():
        quiet_pillow()  # as the engine does when it starts
        counts, broken, _ = through_engine([(kind, data)])
    assert broken == []
    assert set(counts) <= {"decoded", "header is truncated", "truncated or damaged", "not a picture"}


async def through_bot(decoder: DecodingProcess, data: bytes, kind: str) -> str:
    try:
        assert (await decoder.decode(data, kind)).width <= 8
    except Refusal as refusal:
        return refusal.key
    return "decoded"


def peak_bytes(child: psutil.Process) -> int:
    """The most that it ever had in memory. Raises NoSuchProcess for one that died."""
    assert child.is_running()
    if not psutil.LINUX:
        return int(child.memory_info().rss)
    [line] = [line for line in Path(f"/proc/{child.pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) << 10
