"""What transformers' own eager attention computes of a native type, and what a soft token sees where no patch attends to another."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor
from transformers.vision_utils import get_vision_window_index

from engine.models.base import PictureMaps
from engine.models.pretrained import eye_recorder
from engine.models.pretrained.eye_recorder import recording
from engine.models.pretrained.model import PROCESSED, PretrainedModel

RECTANGLE = (0.5, 0.45, 0.7, 0.75)  # left, top, right, bottom, as shares of a picture


@contextmanager
def eager(model: Any, seen: list[tuple[Any, Tensor]]) -> Iterator[None]:
    """Transformers' model attends eagerly, and `seen` gets each attention module with its weights [batch, heads, queries, keys]."""
    homes: set[Any] = {sys.modules[type(part).__module__] for part in model.modules()}
    kept = {home: home.eager_attention_forward for home in homes if hasattr(home, "eager_attention_forward")}
    before = model.config._attn_implementation

    def watched(forward: Any) -> Any:
        def attend(module: Any, *inputs: Any, **options: Any) -> Any:
            mixed, weights = forward(module, *inputs, **options)
            seen.append((module, weights))
            return mixed, weights

        return attend

    for home, forward in kept.items():
        home.eager_attention_forward = watched(forward)
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)
        for home, forward in kept.items():
            home.eager_attention_forward = forward


def of_each(seen: list[tuple[Any, Tensor]], whole: Any) -> list[list[Tensor]]:
    """The weights of each attention module that lies in `whole`, in the order of the layers: one, or one for each window."""
    found: dict[Any, list[Tensor]] = {}
    within = set(whole.modules())
    for module, weights in seen:
        if module in within:
            found.setdefault(module, []).append(weights)
    return list(found.values())


def vision_of(model: Any) -> Any:
    """The vision tower in transformers' model."""
    return next(getattr(model, name) for name in ("visual", "vision_tower", "vision_model") if hasattr(model, name))


def received(layers: list[list[Tensor]]) -> Tensor:
    """[tiles, tokens]: each token's share of what all attend to."""
    sums = [torch.cat([weights.mean(1).sum(1) for weights in windows], 1) for windows in layers]
    return torch.stack(sums).mean(0) / sums[0].shape[-1]


def row_by_row(model: Any, tokens: Tensor, grid: tuple[int, int]) -> Tensor | None:
    """What the tokens of an eye received, in the tower's order → of each cell, summing to 1; None: tiles don't lie in one grid."""
    if len(tokens) == grid[0] * grid[1] + 1:  # CLIP's, which begins with CLS
        return tokens[1:] / tokens[1:].sum()
    if not hasattr(model, "visual"):
        return None
    merged = tokens.view(-1, model.visual.spatial_merge_size**2).sum(1)
    if not hasattr(model.visual, "window_size"):
        return merged
    sizes = model.visual.spatial_merge_size, model.visual.window_size, model.visual.patch_size
    index, _ = get_vision_window_index(torch.tensor([[1, 2 * grid[0], 2 * grid[1]]]), *sizes)
    return merged[torch.argsort(index)]


def maps_of(model: PretrainedModel, picture: Image.Image) -> PictureMaps:
    working = model.picture_maps(picture)
    while True:
        try:
            next(working)
        except StopIteration as end:
            maps: PictureMaps = end.value
            return maps


def soft_tokens(model: PretrainedModel, picture: Image.Image, monkeypatch: Any) -> Tensor:
    """A picture's tokens where no patch attends to another, [tokens, width]; 0 of tags."""

    def alone(module: Any, query: Tensor, *inputs: Any, **options: Any) -> Any:
        return torch.zeros_like(query).transpose(1, 2).contiguous(), None

    with monkeypatch.context() as patch, recording(model.vision):
        patch.setattr(eye_recorder, "sdpa_attention_forward", alone)
        found = model.look(picture).embeddings
    if PROCESSED in (prepared := model.prepare([picture])[0]).info:
        found = found * (prepared.info[PROCESSED]["input_ids"][0] == model.soft)[:, None]
    return found


def with_rectangle(size: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    """A black picture, and the same with a white rectangle."""
    plain, marked = (Image.new("RGB", size) for _ in range(2))
    left, top, right, bottom = (round(share * side) for share, side in zip(RECTANGLE, (*size, *size), strict=True))
    marked.paste((255, 255, 255), (left, top, right, bottom))
    return plain, marked


def cells(maps: PictureMaps, *, spread: bool = False) -> Tensor:
    """How white a map's cells are in the picture as it was seen, [rows · columns]; `spread`: or half a cell beyond them."""
    rows, columns = maps.grid
    image = maps.image.convert("L").resize((8 * columns, 8 * rows), Image.Resampling.BOX)
    if spread:
        image = image.filter(ImageFilter.MaxFilter(9))
    white = np.asarray(image, dtype=np.float32).reshape(rows, 8, columns, 8).mean((1, 3)) / 255
    return torch.from_numpy(white.flatten())


def coverage(maps: PictureMaps, white: Tensor, tokens: int) -> Tensor:
    """How much of each token's place is white, [tokens]."""
    return torch.stack([maps.on_patches(row) @ white for row in torch.eye(tokens)])
