"""A batch of mutated pictures through both doors: the bot's decoder, a child process, and the engine's, here in a child too."""

from __future__ import annotations

import asyncio
import random
import resource
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Final

import psutil  # type: ignore[import-untyped]  # ships no types

from bot.errors import Refusal
from bot.media.decoder_pool import DecodingLimits, DecodingProcess
from bot.media.intake import KINDS
from engine.errors import PictureError
from engine.images.decode import Limits, decode_picture, quiet_pillow
from tests.hostile.mutate import mutated
from tests.hostile.sound_pictures import sound_pictures

LIMITS: Final = DecodingLimits(pixels=4_000_000, side=256, seconds=10.0)
ENGINE_LIMITS: Final = Limits(pixels=4_000_000)
KEPT: Final = 20  # files that did harm, for whoever looks into it


@dataclass
class Outcome:
    """What became of pictures: `decoded`, or refused by the reason; `seconds` and `bytes` are the worst of any."""

    pictures: int = 0
    bot: Counter[str] = field(default_factory=Counter)
    engine: Counter[str] = field(default_factory=Counter)
    crashes: list[str] = field(default_factory=list)  # which picture ended or broke what, as hexadecimal
    seconds: float = 0.0
    bytes: int = 0

    def add(self, other: Outcome) -> None:
        self.pictures += other.pictures
        self.bot += other.bot
        self.engine += other.engine
        self.crashes = (self.crashes + other.crashes)[:KEPT]
        self.seconds, self.bytes = max(self.seconds, other.seconds), max(self.bytes, other.bytes)

    def lines(self) -> tuple[str, ...]:
        return (
            f"{self.pictures} pictures, {len(self.crashes)} crashes; at most {self.seconds:.2f} s and {self.bytes >> 20} MiB",
            f"bot: {dict(self.bot.most_common())}",
            f"engine: {dict(self.engine.most_common())}",
            *self.crashes,
        )


def drawn(seed: int, number: int, count: int) -> Iterator[tuple[str, bytes]]:
    """The pictures of batch `number`, each a format and a file. Every format has its turn; every second is one that the bot takes."""
    chance = random.Random(f"{seed} {number}")
    every, taken = list(sound_pictures()), sorted({kind for _, _, kind in KINDS})
    for place in range(count):
        kinds = taken if place % 2 else every
        kind = kinds[(number * count + place) // 2 % len(kinds)]
        yield kind, mutated(chance.choice(sound_pictures()[kind]), chance)


@contextmanager
def engine_process() -> Iterator[Executor]:
    """Where the engine's decoder runs: a library that crashes takes its process with it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=quiet_pillow) as pool:
        yield pool


async def try_batch(pictures: list[tuple[str, bytes]], pool: Executor) -> Outcome:
    """Whatever is no picture and no refusal in words is a crash."""
    found = Outcome(pictures=len(pictures))
    engine = asyncio.wrap_future(pool.submit(through_engine, pictures))
    await through_bot(pictures, found)
    try:
        found.engine, broken, slowest = await engine
    except BrokenProcessPool:
        broken, slowest = ["the engine's process died"], 0.0
    found.crashes += broken
    found.seconds = max(found.seconds, slowest)
    return found


async def through_bot(pictures: list[tuple[str, bytes]], found: Outcome) -> None:
    decoder = DecodingProcess(LIMITS)
    child = await started(decoder)
    for kind, data in pictures:
        begun = time.monotonic()
        try:
            await decoder.decode(data, kind)
            found.bot["decoded"] += 1
        except Refusal as refusal:
            found.bot[refusal.key] += 1
            if not child.is_running() or child.status() == psutil.STATUS_ZOMBIE:
                found.crashes.append(f"bot {kind} {refusal.key} {data.hex()}")
                child = await started(decoder)
        found.seconds = max(found.seconds, time.monotonic() - begun)
    found.bytes = max(found.bytes, child.memory_info().rss)
    await decoder.close()


async def started(decoder: DecodingProcess) -> psutil.Process:
    """The decoder's child, which a first picture starts."""
    before = set(psutil.Process().children())
    await decoder.decode(sound_pictures()["PNG"][0], "PNG")
    [child] = [each for each in psutil.Process().children() if each not in before and "decoder_worker" in " ".join(each.cmdline())]
    return child


def through_engine(pictures: list[tuple[str, bytes]]) -> tuple[Counter[str], list[str], float]:
    """Counts, the files that broke it, and the longest time in seconds."""
    counts, broken, slowest = Counter[str](), list[str](), 0.0
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for kind, data in pictures:
        begun = time.monotonic()
        try:
            decode_picture(data, ENGINE_LIMITS)
            counts["decoded"] += 1
        except PictureError as error:
            counts[reason(error)] += 1
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            broken.append(f"engine {kind} {error!r} {data.hex()}")
        slowest = max(slowest, time.monotonic() - begun)
    return counts, broken, slowest


def reason(error: PictureError) -> str:
    said = str(error)
    known = ("not a picture", "header is truncated", "truncated or damaged", "pixels", "seconds", "passes")
    return next((words for words in known if words in said), said)
