"""`gander evaluate films`: how many questions about drawn films are answered right, whose truth is known: in order, and shuffled."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import pairwise
from random import Random
from typing import Final

from PIL import Image, ImageDraw

from adapters.terminal.pictures import picture_parts
from bot.engines.client import EngineClient
from bot.media.films import FilmFrames, FilmSampling
from bot.message import Picture
from engine.api import ChatRequest, Message, TextPart

COLOURS: Final = {"red": "red", "green": "green", "blue": "blue", "yellow": "yellow", "black": "black"}
PARTS: Final = 4  # of a film, in each of which nothing changes
FRAMES_A_PART: Final = 10
SIDE: Final = 320
NUMBERS: Final = {"no": 0, "never": 0, "zero": 0, "once": 1, "one": 1, "twice": 2, "two": 2, "three": 3}
PLACES: Final = re.compile(r"\b(left|right)\b")


@dataclass(frozen=True)
class Clip:
    """A film as its parts, a question about it, and what is right: colours in order, a number of jumps, or seconds."""

    kind: str
    parts: tuple[Image.Image, ...]
    question: str
    truth: tuple[str, ...] | int | float


def clips(count: int, random: Random) -> Iterator[Clip]:
    """So many of each kind."""
    for _ in range(count):
        colours = tuple(random.sample(sorted(COLOURS), PARTS))
        yield Clip("order of colours", tuple(map(circle, colours)), "In which order do the colours appear?", colours)
        places = [random.choice((0.25, 0.75)) for _ in range(PARTS)]
        jumps = sum(a != b for a, b in pairwise(places))
        yield Clip("count of jumps", tuple(map(square, places)), "How many times does the square jump?", jumps)
        first = random.randrange(1, PARTS)
        parts = tuple(circle("red") if part < first else both() for part in range(PARTS))
        yield Clip("when the square appears", parts, "At which time does the blue square appear?", first + 0.5)


def right(clip: Clip, answer: str) -> bool:
    said = answer.lower()
    if isinstance(clip.truth, tuple):
        named: list[str] = re.findall("|".join(COLOURS), re.sub(r"background: \w+", "", said))
        return tuple(dict.fromkeys(named)) == clip.truth
    if isinstance(clip.truth, int):
        places = PLACES.findall(said)
        if len(places) == PARTS:  # told frame by frame
            return bool(sum(a != b for a, b in pairwise(places)) == clip.truth)
        numbers = [NUMBERS.get(word, int(word) if word.isdigit() else -1) for word in re.findall(r"\d+|[a-z]+", said)]
        return next((number for number in numbers if number >= 0), -1) == clip.truth
    lines = [line for line in said.splitlines() if "square" in line] or [said]
    times = [float(time) for time in re.findall(r"\d+\.\d+", lines[0])]
    return bool(times) and abs(times[0] - clip.truth) < 0.6


def circle(colour: str) -> Image.Image:
    picture = Image.new("RGB", (SIDE, SIDE), "white")
    ImageDraw.Draw(picture).ellipse((90, 90, 230, 230), COLOURS[colour])
    return picture


def square(place: float) -> Image.Image:
    picture = Image.new("RGB", (SIDE, SIDE), "white")
    ImageDraw.Draw(picture).rectangle((place * SIDE - 50, 110, place * SIDE + 50, 210), "blue")
    return picture


def both() -> Image.Image:
    picture = circle("red")
    ImageDraw.Draw(picture).rectangle((10, 10, 80, 80), "blue")
    return picture


def filmed(parts: Sequence[Image.Image]) -> bytes:
    """An mp4 with a second of each part."""
    import av

    out = BytesIO()
    with av.open(out, "w", format="mp4") as film:
        stream = film.add_stream("libx264", rate=FRAMES_A_PART)
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        for part in parts:
            for _ in range(FRAMES_A_PART):
                film.mux(stream.encode(av.VideoFrame.from_image(part)))
        film.mux(stream.encode())
    return out.getvalue()


def shuffled(frames: Sequence[Picture], random: Random) -> list[Picture]:
    """The frames in another order, with the times of the old one."""
    mixed = random.sample(frames, len(frames))
    return [replace(each, seconds=at.seconds) for each, at in zip(mixed, frames, strict=True)]


async def ask(client: EngineClient, model: str, frames: Sequence[Picture], question: str) -> str:
    message = Message(role="user", content=(*picture_parts(frames), TextPart(text=question)))
    chunks = client.stream(ChatRequest(messages=(message,), model=model, temperature=0, max_tokens=120, stream=True))
    return "".join([choice.delta.content or "" async for chunk in chunks for choice in chunk.choices])


async def measure(client: EngineClient, model: str, count: int) -> dict[str, tuple[int, int]]:
    """How many answers were right by kind, with frames in order and shuffled."""
    random, sampler = Random(7), FilmFrames(FilmSampling())  # noqa: S311  # draws clips  # noqa: S311  # draws clips
    found: dict[str, tuple[int, int]] = {}
    try:
        for clip in clips(count, random):
            frames = await sampler.take(filmed(clip.parts), "MP4")
            ordered, mixed = found.get(clip.kind, (0, 0))
            ordered += right(clip, await ask(client, model, frames, clip.question))
            mixed += right(clip, await ask(client, model, shuffled(frames, random), clip.question))
            found[clip.kind] = ordered, mixed
    finally:
        await sampler.close()
    return found
