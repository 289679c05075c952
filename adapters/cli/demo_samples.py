"""The demo's three pictures and questions. Who made them stands in bot/samples/CREDITS.md."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from rich.color import Color
from rich.style import Style
from rich.text import Text

from bot.demo.samples import FOLDER

COLUMNS = 32


@dataclass(frozen=True)
class Sample:
    file: Path
    question: str
    remark: str = ""


SAMPLES = (
    Sample(FOLDER / "shapes.png", "How many circles are there?"),
    Sample(FOLDER / "cat.jpg", "What is this?"),
    Sample(FOLDER / "astronaut.jpg", "Who is this?", "The pocket model knows no people; a good answer here is to say so."),
)


def sketch(path: Path) -> Text:
    """The picture in coloured half blocks, two pixels a character, for a terminal."""
    image = Image.open(path).convert("RGB")
    image = image.resize((COLUMNS, 2 * max(1, round(COLUMNS * image.height / image.width / 2))))
    text = Text()
    for y in range(0, image.height, 2):
        for x in range(image.width):
            upper, lower = (Color.from_rgb(*image.crop((x, y + dy, x + 1, y + dy + 1)).tobytes()) for dy in (0, 1))
            text.append("▀", Style(color=upper, bgcolor=lower))
        text.append("\n")
    return text
