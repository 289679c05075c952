"""Children that hang, die or can't start are replaced, and see no secret."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # ships no types
import pytest
from PIL import Image
from structlog.testing import capture_logs

from bot.errors import Refusal
from bot.media import decoder_pool as decoding_process
from bot.media.decoder_pool import MIB, DecodingLimits, DecodingProcess
from tests.bot import hostile
from tests.bot.hostile import LIMITS, encode, quarters


@pytest.mark.parametrize(
    ("kind", "name", "missing"),
    [
        ("HEIF", "HEIC", "sys.modules['pi_heif'] = None"),
        ("AVIF", "AVIF", "sys.modules['PIL._avif'] = None"),
        ("WEBP", "WEBP", "sys.modules['PIL._webp'] = None"),
    ],
)
async def test_a_format_whose_decoder_is_missing_is_said_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, name: str, missing: str
) -> None:
    crippled = tmp_path / "worker.py"
    crippled.write_text(f"import runpy, sys\n{missing}\nrunpy.run_path({str(decoding_process.WORKER)!r}, run_name='__main__')\n")
    monkeypatch.setattr(decoding_process, "WORKER", crippled)
    process = DecodingProcess(LIMITS)
    heic = Path(__file__).parent.with_name("data") / "quarter.heic"
    data = heic.read_bytes() if kind == "HEIF" else encode(quarters(), kind)
    with capture_logs() as logs, pytest.raises(Refusal) as refused:
        await process.decode(data, kind)
    await process.close()
    assert (refused.value.key, refused.value.values) == ("picture.no_decoder_of", {"format": name})
    assert "pip install" in logs[0]["remedy"]


async def test_a_decoder_that_hangs_is_replaced() -> None:
    process = DecodingProcess(DecodingLimits(seconds=2.0))
    try:
        with pytest.raises(Refusal) as refused:
            await process.decode(hostile.endless_jpeg(4000, 20_000), "JPEG")
        assert (refused.value.key, refused.value.values) == ("picture.too_slow", {"seconds": 2.0})
        assert (await process.decode(encode(quarters(), "PNG"), "PNG")).width == 32
    finally:
        await process.close()


@pytest.mark.parametrize(
    ("kind", "reasons"),
    [
        ("PNG", {"picture.too_much_memory"}),
        ("WEBP", {"picture.too_much_memory", "picture.damaged"}),  # libwebp says only that it failed
        ("AVIF", {"picture.too_much_memory", "picture.damaged"}),
    ],
)
async def test_a_decoder_that_exhausts_its_memory_is_stopped_and_the_next_picture_is_read(kind: str, reasons: set[str]) -> None:
    process = DecodingProcess(DecodingLimits(memory=160 * MIB, pixels=10**9))
    try:
        with pytest.raises(Refusal) as refused:
            await process.decode(encode(Image.new("RGB", (6500, 6500)), kind, **({"speed": 10} if kind == "AVIF" else {})), kind)
        assert refused.value.key in reasons
        assert (await process.decode(encode(quarters(), kind), kind)).width == 32
    finally:
        await process.close()


async def test_a_child_that_cannot_start_is_logged_with_the_way_to_see_why() -> None:
    with capture_logs() as logged, pytest.raises(Refusal) as refused:
        await DecodingProcess(DecodingLimits(memory=1 << 80)).decode(b"", "PNG")
    assert refused.value.key == "picture.no_decoder"
    pipe = asyncio.subprocess.PIPE
    by_hand = await asyncio.create_subprocess_exec(*shlex.split(logged[0]["see_why"]), stdin=asyncio.subprocess.DEVNULL, stderr=pipe)
    assert b"OverflowError" in (await by_hand.communicate())[1]


async def test_the_child_sees_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANDER_DISCORD_TOKEN", "hunter2")
    before, decoder = psutil.Process().children(), DecodingProcess(LIMITS)
    await decoder.decode(encode(quarters(), "PNG"), "PNG")
    (child,) = (each for each in psutil.Process().children() if each not in before and "decoder_worker" in " ".join(each.cmdline()))
    assert not [name for name in child.environ() if name.startswith("GANDER")]
    await decoder.close()
