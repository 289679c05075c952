"""The child process that reads writing in pictures: `python -I -m bot.reading.worker LIMITS`, one picture at a time.

It is spoken to like the child that decodes (bot/media/child_process.py), and confined like it: no file written, a bounded address
space, no secret. Its models are loaded when the first picture comes.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from io import BytesIO
from math import ceil
from typing import TYPE_CHECKING, BinaryIO, Final, TypedDict

from PIL import Image

from bot.reading.layout import arrange

if TYPE_CHECKING:
    from bot.reading.recognition import Recogniser

READY: Final = b"ready\n"
ORPHAN_SECONDS: Final = 5


class ReadingWorkerLimits(TypedDict):
    """`memory` in bytes of address space, `seconds` for one picture."""

    memory: int
    seconds: float


def confine(limits: ReadingWorkerLimits) -> None:
    if sys.platform == "linux":  # macOS refuses to bound an address space
        resource.setrlimit(resource.RLIMIT_AS, (limits["memory"], limits["memory"]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def serve(requests: BinaryIO, answers: BinaryIO, limits: ReadingWorkerLimits, recogniser: Recogniser) -> None:
    while line := requests.readline():
        data = requests.read(json.loads(line)["bytes"])
        signal.alarm(ceil(limits["seconds"]) + ORPHAN_SECONDS)  # ends a picture that takes too long after the parent has died
        text = arrange(recogniser.read(Image.open(BytesIO(data), formats=["PNG", "JPEG"]).convert("RGB"))).encode()
        signal.alarm(0)
        answers.write(json.dumps({"bytes": len(text)}).encode() + b"\n" + text)
        answers.flush()


def main() -> None:
    limits: ReadingWorkerLimits = json.loads(sys.argv[1])
    confine(limits)
    from bot.reading.recognition import Recogniser  # a second and a hundred megabytes: within the limits

    recogniser = Recogniser()
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()
    serve(sys.stdin.buffer, sys.stdout.buffer, limits, recogniser)


if __name__ == "__main__":
    main()
