"""The child process that takes still frames from hostile films and moving pictures: `python -I -m bot.media.film_worker LIMITS`.

It is spoken to like the child that decodes pictures (bot/media/child_process.py), and confined like it. A request says the `kind` and how
many frames are wanted (`count`); the answer lists them, and their bytes follow one after the other.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import warnings
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from math import ceil
from time import monotonic
from typing import BinaryIO, Final, TypedDict

import av
from PIL import Image

from bot.media.decoder_worker import DAMAGE, Header, encode, expand, flatten

READY: Final = b"ready\n"
ORPHAN_SECONDS: Final = 5
FORMATS: Final = {"MP4": "mov", "MATROSKA": "matroska"}  # FFmpeg's names: no other demuxer ever sees a stranger's bytes
MOST_PACKETS: Final = 200_000  # of a film's index; more than an hour at 50 frames a second
MOST_MOVES: Final = 2_000  # frames of a GIF or WebP
DECODING: Final = 0.7  # of the seconds of work: where key frames lie far apart, the frame that is reached by then will do
STILL_MILLISECONDS: Final = 100  # of a GIF's frame that names no time, as browsers show it


class FilmLimits(TypedDict):
    """`memory` in bytes of address space, `pixels` of a frame, `side` of the result, `length` of the film and `seconds` of work."""

    memory: int
    pixels: int
    side: int
    length: float
    seconds: float


class FilmRefused(Exception):
    """`reason`: damaged, keys, pixels, length, moves or memory."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Still:
    """A frame and when it is shown, in seconds from the film's beginning."""

    image: Image.Image
    seconds: float


def middles(length: float, count: int) -> list[float]:
    """The middles of `count` equal parts of a film."""
    return [(part + 0.5) * length / count for part in range(count)]


def film_stills(data: bytes, kind: str, count: int, limits: FilmLimits) -> Iterator[Still]:
    with av.open(BytesIO(data), format=FORMATS[kind], metadata_errors="replace") as film:
        if not film.streams.video:
            raise FilmRefused("damaged")
        stream = film.streams.video[0]
        stream.codec_context.thread_count = 1
        if stream.codec_context.width * stream.codec_context.height > limits["pixels"]:
            raise FilmRefused("pixels")
        first, keys, length = index(film, stream)
        if length > limits["length"]:
            raise FilmRefused("length")
        if not keys:  # nothing but changes to a picture that is not there
            raise FilmRefused("keys")
        playhead, shown = Playhead(film, stream, keys, limits["pixels"]), None
        began, share = monotonic(), DECODING * limits["seconds"] / count
        for number, at in enumerate(middles(length, count), start=1):
            frame = playhead.at(first + at, began + number * share)
            if frame is not None and frame is not shown:
                yield still_of(frame, first, limits["side"])
            shown = frame


def index(film: av.container.InputContainer, stream: av.VideoStream) -> tuple[float, list[float], float]:
    """When the first frame is shown, when each key frame is, and how long the film is; by its packets, whatever its header claims."""
    unit, first, end, keys = float(stream.time_base or 0), float("inf"), float("-inf"), []
    for number, packet in enumerate(film.demux(stream)):
        if number > MOST_PACKETS:
            raise FilmRefused("length")
        if packet.pts is None:
            continue
        at = packet.pts * unit
        first, end = min(first, at), max(end, at + (packet.duration or 0) * unit)
        keys += [at] if packet.is_keyframe else []
    if end < first:
        raise FilmRefused("damaged")
    return first, sorted(keys), end - first


class Playhead:
    """Goes forward through a film, and jumps where a key frame saves decoding what lies between."""

    def __init__(self, film: av.container.InputContainer, stream: av.VideoStream, keys: Sequence[float], pixels: int) -> None:
        self._film, self._stream, self._keys, self._pixels = film, stream, keys, pixels
        self._frames: Iterator[av.VideoFrame] = iter(())
        self._shown: av.VideoFrame | None = None
        self._next: av.VideoFrame | None = None

    def at(self, time: float, until: float) -> av.VideoFrame | None:
        """The frame that is shown at this time, or an earlier one where decoding takes longer than `until` (of `monotonic`). None: there
        is none.

        Times are to be asked for in their order.
        """
        self._jump(time)
        while self._shown is None or monotonic() < until:
            self._next = self._next or self._decode()
            if self._next is None or (self._shown is not None and (self._next.time or 0) > time):
                break
            self._shown, self._next = self._next, None
        return self._shown

    def _jump(self, time: float) -> None:
        place = bisect_right(self._keys, time)
        key = self._keys[max(place - 1, 0)]
        reached = self._next or self._shown
        if reached is None or key > (reached.time or 0):
            self._film.seek(int(key / float(self._stream.time_base or 1)), stream=self._stream)
            self._frames, self._next = iter(self._film.decode(self._stream)), None

    def _decode(self) -> av.VideoFrame | None:
        frame = next(self._frames, None)
        if frame is not None and frame.width * frame.height > self._pixels:  # a film may change its size on the way
            raise FilmRefused("pixels")
        return frame


def still_of(frame: av.VideoFrame, first: float, side: int) -> Still:
    scale = min(1.0, side / max(frame.width, frame.height))
    small = frame.reformat(max(round(frame.width * scale), 1), max(round(frame.height * scale), 1), "rgb24")
    image = Image.frombytes("RGB", (small.width, small.height), small.to_ndarray().tobytes())
    return Still(image.rotate(-frame.rotation % 360, expand=True) if frame.rotation else image, (frame.time or 0) - first)


def moving_stills(data: bytes, kind: str, count: int, limits: FilmLimits) -> list[Still]:
    """Frames of a GIF or an animated WebP."""
    with Image.open(BytesIO(data), formats=[kind]) as picture:
        if picture.width * picture.height > limits["pixels"]:
            raise FilmRefused("pixels")
        ends = [0.0]
        for number, _ in enumerate(walk(picture)):
            if number >= MOST_MOVES:
                raise FilmRefused("moves")
            picture.load()
            ends.append(ends[-1] + (float(picture.info.get("duration") or 0) or STILL_MILLISECONDS) / 1000)
            if ends[-1] > limits["length"]:
                raise FilmRefused("length")
        moves = len(ends) - 1
        wanted = set(range(moves)) if moves <= count else {bisect_right(ends, at) - 1 for at in middles(ends[-1], count)}
        stills = []
        picture.seek(0)
        for number, _ in enumerate(walk(picture)):
            if number in wanted:
                small = expand(picture.copy())
                small.thumbnail((limits["side"], limits["side"]), Image.Resampling.LANCZOS)
                stills.append(Still(flatten(small), ends[number]))
        return stills


def walk(picture: Image.Image) -> Iterator[None]:
    """Go from frame to frame; a file that breaks off ends there."""
    at = 0
    while True:
        yield
        at += 1
        try:
            picture.seek(at)
        except EOFError:
            return


def answer(data: bytes, kind: str, count: int, limits: FilmLimits) -> tuple[list[Header], list[float], list[bytes]]:
    stills = list(film_stills(data, kind, count, limits) if kind in FORMATS else moving_stills(data, kind, count, limits))
    encoded = [encode(still.image, "PNG" if kind == "GIF" else "JPEG") for still in stills]
    return [header for header, _ in encoded], [still.seconds for still in stills], [data for _, data in encoded]


def answered(data: bytes, kind: str, count: int, limits: FilmLimits) -> tuple[dict[str, object], bytes]:
    try:
        headers, seconds, frames = answer(data, kind, count, limits)
    except FilmRefused as refused:
        return {"reason": refused.reason, "bytes": 0}, b""
    except Image.DecompressionBombError:
        return {"reason": "pixels", "bytes": 0}, b""
    except MemoryError:
        return {"reason": "memory", "bytes": 0}, b""
    except (av.FFmpegError, *DAMAGE):
        return {"reason": "damaged", "bytes": 0}, b""
    if not frames:
        return {"reason": "damaged", "bytes": 0}, b""
    joined = b"".join(frames)
    return {"bytes": len(joined), "frames": [{**header, "seconds": at} for header, at in zip(headers, seconds, strict=True)]}, joined


def confine(limits: FilmLimits) -> None:
    if sys.platform == "linux":  # macOS refuses to bound an address space
        resource.setrlimit(resource.RLIMIT_AS, (limits["memory"], limits["memory"]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    Image.MAX_IMAGE_PIXELS = limits["pixels"] // 2
    warnings.simplefilter("ignore")
    av.logging.set_level(None)


def serve(requests: BinaryIO, answers: BinaryIO, limits: FilmLimits) -> None:
    while line := requests.readline():
        request = json.loads(line)
        data = requests.read(request["bytes"])
        signal.alarm(ceil(limits["seconds"]) + ORPHAN_SECONDS)  # ends a decoder that hangs after its parent has died
        header, frames = answered(data, request["kind"], request["count"], limits)
        signal.alarm(0)
        answers.write(json.dumps(header).encode() + b"\n" + frames)
        answers.flush()


def main() -> None:
    limits: FilmLimits = json.loads(sys.argv[1])
    Image.init()
    confine(limits)
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()
    serve(sys.stdin.buffer, sys.stdout.buffer, limits)


if __name__ == "__main__":
    main()
