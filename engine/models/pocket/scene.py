"""Detects objects in a drawn picture from EfficientNet's features: where each is, its plain shape and colour, the background.

A small dense detector (Zhou et al. 2019, "Objects as points"): every cell of a 28 × 28 grid says whether a thing's centre
lies in it. Counting and placing are then exact where a language model of this size would guess.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d, pixel_unshuffle, relu

from engine.models.pocket.efficientnet import FINE_CHANNELS, GRID_CHANNELS, HEAD_CHANNELS, ImageFeatures
from engine.models.pocket.vocabulary import COLOURS, SHAPES

FEATURE_CELLS, CELLS = 14, 28
WIDTH, FINE_WIDTH = 128, 96
BLOCKS, FINE_BLOCKS = 3, 2
THRESHOLD = 0.4  # of a centre's probability
MOST = 9  # things that are read off one picture


class Kind(IntEnum):
    """What a picture is of, as far as its layout tells."""

    SHAPES = 0
    THINGS = 1
    TEXT = 2
    NOTHING = 3


@dataclass(frozen=True)
class SceneMaps:
    """Logits of the reader for a batch."""

    features: Tensor  # [batch, 128, 14, 14], which the Q-Former reads too
    centre: Tensor  # [batch, 28, 28]
    box: Tensor  # [batch, 4, 28, 28]: offset x, y in cells from the cell's middle; log of width, height in cells
    shape: Tensor  # [batch, 11, 28, 28]: SHAPES, then "thing"
    colour: Tensor  # [batch, 11, 28, 28]
    kind: Tensor  # [batch, 4]
    background: Tensor  # [batch, 12]: COLOURS, then "no one colour"


@dataclass(frozen=True)
class DetectedObject:
    """One thing. `box` in parts of the picture's sides: centre x, y, width, height. `shape` is None for what is no plain shape."""

    box: tuple[float, float, float, float]
    shape: str | None
    colours: tuple[tuple[str, float], ...]  # most first


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, width)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(relu(self.first(relu(self.norm(x)))))
        return x + y


class SceneReader(nn.Module):
    """`ImageFeatures` → `SceneMaps`."""

    def __init__(self) -> None:
        super().__init__()
        self.from_fine = nn.Conv2d(4 * FINE_CHANNELS, WIDTH, 1)
        self.from_grid = nn.Conv2d(GRID_CHANNELS, WIDTH, 1)
        self.from_head = nn.Conv2d(HEAD_CHANNELS, WIDTH, 1)
        self.place = nn.Parameter(torch.zeros(1, WIDTH, FEATURE_CELLS, FEATURE_CELLS))
        self.blocks = nn.Sequential(*(Residual(WIDTH) for _ in range(BLOCKS)))
        self.norm = nn.GroupNorm(8, WIDTH)
        self.widen = nn.Conv2d(WIDTH, FINE_WIDTH, 1)
        self.detail = nn.Conv2d(FINE_CHANNELS, FINE_WIDTH, 1)
        self.fine_blocks = nn.Sequential(*(Residual(FINE_WIDTH) for _ in range(FINE_BLOCKS)))
        self.fine_norm = nn.GroupNorm(8, FINE_WIDTH)
        self.dense = nn.Conv2d(FINE_WIDTH, 1 + 4 + len(SHAPES) + 1 + len(COLOURS), 1)
        nn.init.constant_(self.dense.get_parameter("bias")[:1], -4.0)  # few cells hold a centre
        self.whole = nn.Linear(2 * WIDTH, len(Kind) + len(COLOURS) + 1)

    def forward(self, image_features: ImageFeatures) -> SceneMaps:
        x = self.from_fine(pixel_unshuffle(image_features.fine, 2)) + self.from_grid(image_features.grid)
        x = x + interpolate(self.from_head(image_features.head), scale_factor=2.0) + self.place
        x = relu(self.norm(self.blocks(x)))
        fine = interpolate(self.widen(x), scale_factor=2.0, mode="bilinear") + self.detail(image_features.fine)
        fine = relu(self.fine_norm(self.fine_blocks(fine)))
        centre, box, shape, colour = self.dense(fine).split((1, 4, len(SHAPES) + 1, len(COLOURS)), dim=1)
        kind, background = self.whole(torch.cat((x.mean((2, 3)), x.amax((2, 3))), dim=1)).split((len(Kind), len(COLOURS) + 1), dim=1)
        return SceneMaps(x, centre[:, 0], box, shape, colour, kind, background)


def find(maps: SceneMaps, row: int = 0) -> list[DetectedObject]:
    """The things in one picture of the batch, surest first: cells whose centre probability beats the threshold and all neighbours."""
    probability = maps.centre[row].sigmoid()
    peaks = (probability == max_pool2d(probability[None, None], 3, 1, 1)[0, 0]) & (probability > THRESHOLD)
    cells = peaks.nonzero().tolist()
    cells.sort(key=lambda cell: -probability[cell[0], cell[1]].item())
    return [_read_cell(maps, row, y, x) for y, x in cells[:MOST]]


def _read_cell(maps: SceneMaps, row: int, y: int, x: int) -> DetectedObject:
    dx, dy, log_width, log_height = maps.box[row, :, y, x].tolist()
    width, height = torch.tensor((log_width, log_height)).exp().tolist()
    shape = int(maps.shape[row, :, y, x].argmax())
    shares = maps.colour[row, :, y, x].softmax(0)
    order = shares.argsort(descending=True).tolist()
    return DetectedObject(
        ((x + 0.5 + dx) / CELLS, (y + 0.5 + dy) / CELLS, width / CELLS, height / CELLS),
        SHAPES[shape] if shape < len(SHAPES) else None,
        tuple((COLOURS[i], float(shares[i])) for i in order),
    )
