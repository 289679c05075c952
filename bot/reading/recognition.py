"""Finds and recognises writing in a picture by RapidOCR's PP-OCRv6 models, which its package carries. Runs in the worker alone.

Dark pages are inverted and small writing is enlarged first; pages that lie on their side, on their head or askew are turned.
"""

from __future__ import annotations

from statistics import median
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from rapidocr import RapidOCR

from bot.reading.layout import Piece

Pixels = NDArray[np.uint8]  # [height, width, 3] in the order blue, green, red
Boxes = NDArray[np.float32]  # [n, 4, 2]: corners from the top left on, clockwise, as x and y

GLANCE_SIDE: Final = 960  # pixels of the longer side, when it is first looked whether there is any writing
SEARCH_SIDE: Final = 1600  # likewise, when lines are searched for
MOST_SIDE: Final = 3200  # of an enlarged picture
DARK: Final = 110  # of 255: a picture of which more than half is darker is inverted
SMALL: Final = 24.0  # pixels of a line's height, below which it is enlarged …
LARGE_ENOUGH: Final = 36.0  # … to about this
TALL: Final = 1.5  # times as high as wide: a line on its side
ASKEW: Final = 1.0  # degrees from which the page is turned
LEAST_SCORE: Final = 0.5  # of a recognised line
ASKED: Final = 8  # lines that tell whether the page stands on its head
READ_TWICE: Final = 3  # of them
MOST_LINES: Final = 400
INK: Final = 0.35  # of the contrast of a line, from which a pixel is ink

ONE_THREAD: Final = {
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    "Rec.rec_batch_num": 1,  # lines of different lengths in a batch are padded to the longest: slower, and more memory
    "Det.limit_type": "max",
    "Det.limit_side_len": SEARCH_SIDE,
    "Global.log_level": "critical",
    "Global.use_preprocess_img": False,
    "Global.use_vertical_padding": False,
}


class Recogniser:
    """The three models: where lines are, which way up they are, and what they say. Each is loaded when it is first needed."""

    def __init__(self) -> None:
        self._models = RapidOCR(params=dict(ONE_THREAD))

    def read(self, picture: Image.Image) -> list[Piece]:
        """All writing in an RGB picture. Nothing but the search at a small size is done where there is none."""
        page = upright_contrast(picture)
        glance = page.copy()
        glance.thumbnail((GLANCE_SIDE, GLANCE_SIDE), Image.Resampling.BILINEAR)
        boxes = self._find(pixels(glance))
        if boxes is None:
            return []
        page = enlarged(page, boxes / (glance.width / page.width))
        page, boxes = self._turned(page)
        return [] if boxes is None else self._recognise(pixels(page), boxes[:MOST_LINES])

    def _find(self, page: Pixels) -> Boxes | None:
        found: Any = self._models(page, use_det=True, use_cls=False, use_rec=False)
        return None if found.boxes is None or not len(found.boxes) else np.asarray(found.boxes, np.float32)

    def _turned(self, page: Image.Image) -> tuple[Image.Image, Boxes | None]:
        """The page with its lines from left to right, and where they are."""
        boxes = self._find(pixels(page))
        if boxes is not None and on_its_side(boxes):
            page = page.transpose(Image.Transpose.ROTATE_90)
            boxes = self._find(pixels(page))
        if boxes is not None and abs(angle := slant(boxes)) > ASKEW:
            page = page.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=page.getpixel((0, 0)))
            boxes = self._find(pixels(page))
        if boxes is not None and self._on_its_head(pixels(page), boxes):
            page = page.transpose(Image.Transpose.ROTATE_180)
            boxes = self._find(pixels(page))
        return page, boxes

    def _on_its_head(self, page: Pixels, boxes: Boxes) -> bool:
        """What the third model suspects is asked of the second, which reads a few lines both ways."""
        longest = sorted(boxes, key=lambda box: -np.ptp(box[:, 0]) / max(np.ptp(box[:, 1]), 1))[:ASKED]
        lines = [crop(page, box) for box in longest]
        if 2 * sum(map(self._looks_turned, lines)) <= len(lines):
            return False
        return sum(self._said(line)[1] - self._said(np.ascontiguousarray(line[::-1, ::-1]))[1] for line in lines[:READ_TWICE]) < 0

    def _looks_turned(self, line: Pixels) -> bool:
        found: Any = self._models(line, use_det=False, use_cls=True, use_rec=False)
        return bool(found.cls_res[0][0] == "180")

    def _said(self, line: Pixels) -> tuple[str, float]:
        """The words of a line, and how sure they are."""
        found: Any = self._models(line, use_det=False, use_cls=False, use_rec=True)
        return (str(found.txts[0]).strip(), float(found.scores[0])) if found.txts else ("", 0.0)

    def _recognise(self, page: Pixels, boxes: Boxes) -> list[Piece]:
        pieces = []
        for box in boxes:
            words, score = self._said(crop(page, box))
            if words and score >= LEAST_SCORE:
                pieces.append(Piece(words, *edges_of_ink(page, box)))
        return pieces


def upright_contrast(picture: Image.Image) -> Image.Image:
    """Dark writing on a light ground: a dark theme is inverted."""
    small = picture.convert("L").resize((64, 64), Image.Resampling.BOX)
    return ImageOps.invert(picture) if float(np.median(np.asarray(small))) < DARK else picture


def enlarged(page: Image.Image, boxes: Boxes) -> Image.Image:
    height = median(float(min(np.linalg.norm(box[0] - box[1]), np.linalg.norm(box[0] - box[3]))) for box in boxes)
    factor = min(LARGE_ENOUGH / height, MOST_SIDE / max(page.size)) if height < SMALL else 1.0
    if factor <= 1.1:
        return page
    return page.resize((round(page.width * factor), round(page.height * factor)), Image.Resampling.LANCZOS)


def pixels(page: Image.Image) -> Pixels:
    return np.ascontiguousarray(np.asarray(page)[:, :, ::-1])


def crop(page: Pixels, box: Boxes) -> Pixels:
    left, top, right, bottom = bounds(page, box)
    return np.ascontiguousarray(page[top:bottom, left:right])


def bounds(page: Pixels, box: Boxes) -> tuple[int, int, int, int]:
    left, top = np.floor(box.min(0)).astype(int)
    right, bottom = np.ceil(box.max(0)).astype(int)
    return max(int(left), 0), max(int(top), 0), min(int(right), page.shape[1]), min(int(bottom), page.shape[0])


def on_its_side(boxes: Boxes) -> bool:
    tall = [np.ptp(box[:, 1]) > TALL * np.ptp(box[:, 0]) for box in boxes]
    return bool(2 * sum(tall) > len(tall))


def slant(boxes: Boxes) -> float:
    """Degrees by which lines fall to the right, as most of the longer ones do."""
    tops = [box[1] - box[0] for box in boxes if np.linalg.norm(box[1] - box[0]) > 3 * np.linalg.norm(box[3] - box[0])]
    return float(np.median([np.degrees(np.arctan2(y, x)) for x, y in tops])) if tops else 0.0


def edges_of_ink(page: Pixels, box: Boxes) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what is written in a box, which is a little larger."""
    left, top, right, bottom = bounds(page, box)
    grey = page[top:bottom, left:right].mean(2)
    ground = float(np.median(grey))
    contrast = np.abs(grey - ground)
    ink = np.flatnonzero(contrast.max(0) > INK * contrast.max()) if contrast.size and contrast.max() else np.array([], int)
    if not ink.size:
        return left, top, right, bottom
    return left + float(ink[0]), top, left + float(ink[-1]) + 1, bottom
