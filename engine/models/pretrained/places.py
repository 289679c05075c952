"""Where on a picture each token stands, whatever its processor does: crops, tiles, a thumbnail, padding, merged patches.

Nobody's tiling is done again here. A picture of coordinates goes through the model's own processor, and then the places of all patches
through the model's own rearranging of patches into tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt, sqrt
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import BatchFeature

MOST_CELLS = 1024  # of a map: finer ones no eye tells apart, and each word has one
LONGEST_SIDE = 1024  # pixels of a picture that is shown
FLAT = 2 / 255  # of a picture, that is too little to measure a tile's place by


def coordinates(size: tuple[int, int]) -> Image.Image:
    """A picture of this width and height whose red says how far to the right, whose green how far down a pixel is."""
    width, height = size
    right = (np.arange(width) + 0.5) / width * 255
    down = (np.arange(height) + 0.5) / height * 255
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[..., 0], pixels[..., 1], pixels[..., 2] = np.round(right), np.round(down)[:, None], 255
    return Image.fromarray(pixels)


def patch_places(tiles: Tensor, patch: int) -> Tensor:
    """Coordinates as a processor made tiles of them, bytes [tiles, 3, height, width] → [tiles, patches, 4], row by row.

    Top, left, bottom and right of each patch as shares of the picture's height and width; what was padded lies outside 0 to 1.
    """
    found = []
    for red, green, blue in tiles.double():
        seen = blue > 127
        down = edges((green * seen).sum(1) / seen.sum(1).clamp(min=1), seen.any(1), patch)
        right = edges((red * seen).sum(0) / seen.sum(0).clamp(min=1), seen.any(0), patch)
        rows, columns = len(down) - 1, len(right) - 1
        top, left = torch.meshgrid(down[:-1], right[:-1], indexing="ij")
        bottom, end = torch.meshgrid(down[1:], right[1:], indexing="ij")
        found.append(torch.stack((top, left, bottom, end), -1).view(rows * columns, 4))
    return torch.stack(found).float()


def edges(values: Tensor, seen: Tensor, patch: int) -> Tensor:
    """The patches' edges along one side of a tile, from the coordinates [pixels] of those that are `seen`: a line's least squares."""
    at = torch.nonzero(seen)[:, 0].double() + 0.5
    shares = values[seen] / 255
    spread = at - at.mean()
    slope = float((spread * shares).sum() / (spread**2).sum().clamp(min=1e-9))
    begin = float(shares.mean()) - slope * float(at.mean())
    if slope * len(at) < FLAT:  # a pixel or two, scaled up
        slope, begin = 1 / len(at), -float(at[0] - 0.5) / len(at)
    return begin + slope * patch * torch.arange(len(values) // patch + 1, dtype=torch.double)


def token_places(vision: Any, patches: Tensor, inputs: BatchFeature) -> Tensor:
    """The places of patches [tiles, patches, 4] → of the soft tokens that they become, [tokens, 4]; NaN of one that has none.

    A token that stands for several patches stands where they all do.
    """
    tiles, count, _ = patches.shape
    if hasattr(vision, "connector"):  # Idefics3, SmolVLM
        parts = vision.connector.pixel_shuffle(patches, vision.connector.scale_factor).reshape(-1, vision.connector.scale_factor**2, 4)
    elif hasattr(vision, "pixel_shuffle"):  # InternVL
        square = patches.view(tiles, isqrt(count), isqrt(count), 4)
        shuffled = vision.pixel_shuffle(square, scale_factor=vision.config.downsample_ratio)
        parts = shuffled.reshape(-1, shuffled.shape[-1] // 4, 4)
    elif hasattr(vision, "pack_image_features"):  # LLaVA-NeXT, LLaVA-OneVision
        return packed(vision, patches, inputs)
    else:  # LLaVA
        parts = patches.view(-1, 1, 4)
    return torch.cat((parts[..., :2].amin(1), parts[..., 2:].amax(1)), -1)


def packed(vision: Any, patches: Tensor, inputs: BatchFeature) -> Tensor:
    """A thumbnail, then all tiles as one field with a token at each line's end, which has no place."""
    aspect = getattr(vision.config, "vision_aspect_ratio", None)
    options = {"vision_aspect_ratio": aspect} if aspect else {"vision_feature_select_strategy": "full"}
    newline = torch.full((4,), torch.nan)
    [places], _ = vision.pack_image_features([patches], inputs["image_sizes"], image_newline=newline, **options)
    field = places[patches.shape[1] :]
    sides = field[:, 2:] - field[:, :2]
    whole = inside(field)
    if len(patches) > 1 and bool(whole.any()):  # fewer tokens than patches: each stands for more than one of them
        box = field[whole, 2:].amax(0) - field[whole, :2].amin(0)
        wider = sqrt(float(box.prod() / sides[whole].prod(1).sum()))
        if wider > 1.05:
            middle = (field[:, 2:] + field[:, :2]) / 2
            field = torch.cat((middle - sides * wider / 2, middle + sides * wider / 2), -1)
    return torch.cat((places[: patches.shape[1]], field))


def inside(places: Tensor) -> Tensor:
    """Which of the places [tokens, 4] have their middle on the picture."""
    middle = (places[:, :2] + places[:, 2:]) / 2
    return ((middle > 0) & (middle < 1)).all(-1)


@dataclass(frozen=True)
class Raster:
    """The part of a picture that is seen, `box` as in a place, in `grid` rows and columns of cells, and in `pixels`: width, height."""

    box: tuple[float, float, float, float]
    grid: tuple[int, int]
    pixels: tuple[int, int]

    def spans(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """Of places [tokens, 4] the shares of each row [tokens, rows] and column [tokens, columns]; 0 of one that has no place."""
        down, across = (
            overlaps(places[:, at], places[:, at + 2], torch.linspace(self.box[at], self.box[at + 2], self.grid[at] + 1)) for at in (0, 1)
        )
        seen = inside(places)[:, None]
        return down.where(seen, 0.0), across.where(seen, 0.0)

    def shown(self, picture: Image.Image) -> Image.Image:
        top, left, bottom, right = self.box
        box = (left * picture.width, top * picture.height, right * picture.width, bottom * picture.height)
        return picture.resize(self.pixels, Image.Resampling.BICUBIC, box)


def overlaps(begins: Tensor, ends: Tensor, bounds: Tensor) -> Tensor:
    """What share of each stretch [tokens] lies between each two of the bounds [cells + 1] → [tokens, cells]."""
    shared = (torch.minimum(ends[:, None], bounds[1:]) - torch.maximum(begins[:, None], bounds[:-1])).clamp(min=0)
    return shared / shared.sum(1, keepdim=True).clamp(min=1e-9)


def raster_of(places: Tensor, patches: Tensor, patch: int) -> Raster:
    """A cell for the smallest of the tokens' places [tokens, 4]; `patches` [patches, 4] are `patch` pixels high and wide in their tiles."""
    seen = places[inside(places)]
    if not len(seen):
        seen = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    whole = seen.clamp(0, 1)
    begin, end = whole[:, :2].amin(0), whole[:, 2:].amax(0)
    cell, smallest = smallest_of(seen), smallest_of(patches)  # height, width
    cells = ((end - begin) / cell).round().clamp(min=1)
    coarser = max(1.0, sqrt(float(cells.prod()) / MOST_CELLS))
    pixels = ((end - begin) / smallest * patch).clamp(min=1)
    pixels /= max(1.0, float(pixels.max()) / LONGEST_SIDE)
    rows, columns = (cells / coarser).floor().clamp(min=1).int().tolist()
    height, width = pixels.round().clamp(min=1).int().tolist()
    top, left, bottom, right = torch.cat((begin, end)).tolist()
    return Raster((top, left, bottom, right), (rows, columns), (width, height))


def smallest_of(places: Tensor) -> Tensor:
    """The least height and width of these places, [2]."""
    return (places[:, 2:] - places[:, :2]).amin(0).clamp(min=1e-4)
