"""Sample pictures for new users, each with questions that the pocket model can answer. Credits: bot/samples/CREDITS.md."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bot.message import Attachment

FOLDER: Final = Path(__file__).parent.parent / "samples"


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample picture. Its texts are `sample.<name>.title` and `sample.<name>.<question>`."""

    name: str
    file: Path
    questions: tuple[str, ...]

    def attachment(self) -> Attachment:
        async def read() -> AsyncIterator[bytes]:
            yield await asyncio.to_thread(self.file.read_bytes)

        return Attachment(self.file.name, read)


SAMPLES: Final[Mapping[str, Sample]] = {
    sample.name: sample
    for sample in (
        Sample("shapes", FOLDER / "shapes.png", ("circles", "describe")),
        Sample("cat", FOLDER / "cat.jpg", ("animal", "poem")),
        Sample("astronaut", FOLDER / "astronaut.jpg", ("who", "colours")),
    )
}
