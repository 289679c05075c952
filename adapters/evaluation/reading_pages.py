"""Draws pages whose writing is known: code in light and dark themes, prose, receipts, signs; turned, askew, pale and compressed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from adapters.evaluation.reading_texts import CHINESE, CODE, COLUMNS, ENGLISH, RECEIPT, SIGNS

Colour = tuple[int, int, int]
KEYWORDS: Final = re.compile(
    r"\b(?:def|for|in|return|class|if|not|raise|const|let|function|new|throw|export|int|char|use|pub|struct|fn|SELECT|FROM)\b"
)
STRINGS: Final = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'")
MARGIN: Final = 18
SIZES: Final = (12, 14, 16, 20)  # pixels of code's letters
CHINESE_FONTS: Final = (  # of packages, then of systems
    "pylopdf_fonts_zh_cn/NotoSansSC-Regular.otf",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
)


@dataclass(frozen=True)
class Theme:
    """`ground`, plain letters, keywords and strings."""

    ground: Colour
    plain: Colour
    keyword: Colour
    string: Colour


LIGHT: Final = Theme((255, 255, 255), (36, 41, 47), (207, 34, 46), (10, 48, 105))
DARK: Final = Theme((30, 30, 30), (212, 212, 212), (86, 156, 214), (206, 145, 120))
PALE: Final = Theme((235, 235, 235), (165, 165, 165), (165, 165, 165), (165, 165, 165))


@dataclass(frozen=True)
class Page:
    """A picture, and what is written in it. Pages of one `group` are measured together."""

    group: str
    text: str
    picture: Image.Image


def pages(monospaced: Path, plain: Path, chinese: Path | None) -> Iterator[Page]:
    """All pages. Without a Chinese font there are none in Chinese."""
    for name, theme in (("light", LIGHT), ("dark", DARK)):
        for size in SIZES:
            for code in CODE.values():
                yield Page(f"code, {name}, {size} px", code, drawn(code, monospaced, size, theme))
    prose = [("English", ENGLISH, plain)]
    if chinese:
        prose.append(("Chinese", CHINESE, chinese))
    for name, text, font in prose:
        yield Page(f"page, {name}", text, drawn(text, font, 18, LIGHT))
        for degrees in (90, 180, 270):
            page = drawn(text, font, 18, LIGHT)
            yield Page("turned by 90°, 180°, 270°", text, page.rotate(degrees, expand=True))
        for degrees in (-8, 3):
            page = drawn(text, font, 18, LIGHT).rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=LIGHT.ground)
            yield Page("askew by 3° and 8°", text, page)
        yield Page("low contrast (165 on 235)", text, drawn(text, font, 18, PALE))
        yield Page("JPEG of quality 25", text, compressed(drawn(text, font, 18, LIGHT)))
    yield Page("receipt", "\n".join(f"{what}  {cost}".strip() for what, cost in RECEIPT), receipt(plain))
    yield Page("two columns", "\n\n".join(COLUMNS), columns(plain))
    for text in SIGNS:
        written_in = chinese if ord(text[0]) > 0x2E80 else plain
        if written_in is not None:
            yield Page("signs", text, sign(text, written_in))


def drawn(text: str, font_file: Path, size: int, theme: Theme) -> Image.Image:
    font = ImageFont.truetype(font_file, size)
    lines, step = text.split("\n"), round(size * 1.4)
    picture = Image.new("RGB", (round(max(map(font.getlength, lines))) + 2 * MARGIN, step * len(lines) + 2 * MARGIN), theme.ground)
    draw = ImageDraw.Draw(picture)
    for at, line in enumerate(lines):
        for start, piece, colour in coloured(line, theme):
            draw.text((MARGIN + font.getlength(line[:start]), MARGIN + at * step), piece, colour, font)
    return picture


def coloured(line: str, theme: Theme) -> Iterator[tuple[int, str, Colour]]:
    """A line's pieces with where each begins and its colour, as an editor shows code."""
    if theme.keyword == theme.plain:
        yield 0, line, theme.plain
        return
    colours = [theme.plain] * len(line)
    for pattern, colour in ((KEYWORDS, theme.keyword), (STRINGS, theme.string)):
        for found in pattern.finditer(line):
            colours[found.start() : found.end()] = [colour] * len(found[0])
    start = 0
    for at in range(1, len(line) + 1):
        if at == len(line) or colours[at] != colours[start]:
            yield start, line[start:at], colours[start]
            start = at


def receipt(font_file: Path) -> Image.Image:
    font, step = ImageFont.truetype(font_file, 20), 30
    picture = Image.new("RGB", (420, step * len(RECEIPT) + 2 * MARGIN), (250, 248, 240))
    draw = ImageDraw.Draw(picture)
    for at, (what, cost) in enumerate(RECEIPT):
        draw.text((MARGIN, MARGIN + at * step), what, (40, 40, 40), font)
        draw.text((420 - MARGIN - font.getlength(cost), MARGIN + at * step), cost, (40, 40, 40), font)
    return picture


def columns(font_file: Path) -> Image.Image:
    left, right = (drawn(text, font_file, 18, LIGHT) for text in COLUMNS)
    picture = Image.new("RGB", (left.width + right.width, max(left.height, right.height)), LIGHT.ground)
    picture.paste(left)
    picture.paste(right, (left.width, 0))
    return picture


def sign(text: str, font_file: Path) -> Image.Image:
    """White on a coloured board, before a street of greys."""
    picture = Image.effect_noise((640, 480), 40).convert("RGB")
    font = ImageFont.truetype(font_file, 48)
    draw = ImageDraw.Draw(picture)
    left, top, right, bottom = draw.multiline_textbbox((140, 150), text, font, spacing=14)
    draw.rectangle((left - 24, top - 24, right + 24, bottom + 24), (20, 70, 150))
    draw.multiline_text((140, 150), text, (255, 255, 255), font, spacing=14)
    return picture


def compressed(picture: Image.Image) -> Image.Image:
    data = BytesIO()
    picture.save(data, "JPEG", quality=25)
    return Image.open(data).convert("RGB")


def matplotlib_font(name: str) -> Path | None:
    """A font of DejaVu, which matplotlib carries."""
    return in_package("matplotlib", f"mpl-data/fonts/ttf/{name}")


def chinese_font() -> Path | None:
    for name in CHINESE_FONTS:
        package, _, file = name.partition("/")
        if found := in_package(package, file) if package else Path(name) if Path(name).exists() else None:
            return found
    return None


def in_package(package: str, file: str) -> Path | None:
    spec = find_spec(package)
    path = Path(spec.origin).parent / file if spec and spec.origin else None
    return path if path and path.exists() else None
