"""Qwen2.5-VL and Qwen3-VL: pictures keep their shape, so that each has as many tokens as its size asks for, under a budget of pixels.

Scaling is done in any thread; normalising and cutting into patches on the device, which takes a megapixel thirty times as fast.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import cached_property
from math import isqrt
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize
from transformers.vision_utils import (
    get_vision_cu_seqlens,
    get_vision_interpolation_indices_and_weights,
    get_vision_position_ids,
    get_vision_window_index,
)

from engine.models.base import EncodedPicture, PictureMaps, shares_of
from engine.models.detail import Detail, pixel_budget
from engine.models.pretrained.eye_recorder import recording
from engine.models.pretrained.model import PretrainedModel
from engine.models.pretrained.shades import normalised

LONGEST_SHAPE = 190  # times as long as wide: thinner pictures are squeezed, for the makers' scaling refuses those from 200 on
KEPT_GRIDS = 64


class QwenModel(PretrainedModel):
    """`max_pixels` bounds what a picture is scaled to; None = the makers' own bound, which is some 16,000 tokens."""

    max_pixels: int | None = None

    details: tuple[Detail, ...] = ("low", "normal", "high")

    def choose(self, detail: Detail | None) -> None:
        """Sets the detail, and with it the budget of pixels."""
        self.detail = detail
        self.max_pixels = None if detail is None else pixel_budget(detail, self.card.context_length, self.side)

    @property
    def side(self) -> int:
        """Pixels of a token's square."""
        eye = self.picture_processor
        return int(eye.patch_size * eye.merge_size)

    @property
    def eye_pixels(self) -> int:
        """Of a square picture."""
        longest = int(self.picture_processor.size["longest_edge"])  # in these models' words, of the area
        return isqrt(min(self.max_pixels or longest, longest))

    @property
    def picture_processor(self) -> Any:
        return self.processor.image_processor

    def prepare(self, pictures: Sequence[Image.Image]) -> list[Image.Image]:
        """In RGB, of the size that they are looked at in."""
        return [self.scaled(picture.convert("RGB")) for picture in pictures]

    def scaled(self, picture: Image.Image) -> Image.Image:
        """To whole tokens, within the bounds; again without effect."""
        width, height = picture.size
        bounds = self.picture_processor.size
        most = max(min(self.max_pixels or bounds["longest_edge"], bounds["longest_edge"]), bounds["shortest_edge"])
        if width % self.side == height % self.side == 0 and bounds["shortest_edge"] <= width * height <= most:
            return picture
        shape = max(height, width // LONGEST_SHAPE), max(width, height // LONGEST_SHAPE)
        new_height, new_width = smart_resize(*shape, self.side, bounds["shortest_edge"], most)
        return picture.resize((new_width, new_height), self.picture_processor.resample)

    def look(self, picture: Image.Image) -> EncodedPicture:
        """One picture → [tokens, width], row by row."""
        scaled = self.scaled(picture)
        seen = self.seen(scaled)
        like = {"device": self.language_model.device, "dtype": self.language_model.dtype}
        deepstack = [layer[0].to(**like) for layer in getattr(seen, "deepstack_features", None) or ()]
        return EncodedPicture(
            seen.pooler_output[0].to(**like),
            grid=self.grid(scaled),
            deepstack=torch.stack(deepstack) if deepstack else None,
            pixels=scaled.size,
        )

    def grid(self, scaled: Image.Image) -> tuple[int, int]:
        """Rows and columns of its tokens."""
        return scaled.height // self.side, scaled.width // self.side

    def seen(self, scaled: Image.Image) -> Any:
        """What vision tower and connector make of a picture of whole tokens."""
        merged = self.picture_processor.merge_size
        rows, columns = (merged * tokens for tokens in self.grid(scaled))
        patches = self.cut(torch.from_numpy(np.array(scaled)).to(self.device))
        return self.vision.get_image_features(  # type: ignore[operator]  # every picture model has it
            pixel_values=patches.to(self.vision.dtype), image_grid_thw=torch.tensor([[1, rows, columns]]), **self.places(rows, columns)
        )

    def picture_maps(self, picture: Image.Image) -> Generator[None, None, PictureMaps]:
        """See `engine.models.base.ShowsPictureMaps`: each token stands for a square of the picture, there is no Q-Former."""
        scaled = self.scaled(picture.convert("RGB"))
        rows, columns = self.grid(scaled)
        yield
        with recording(self.vision) as recorder:
            self.seen(scaled)
        yield
        merged = self.picture_processor.merge_size
        received = recorder.received()[0].view(rows * columns, merged**2).sum(1)
        order = self.places(merged * rows, merged * columns).get("image_window_index")  # in which Qwen2.5-VL's tower has the tokens
        eye = received if order is None else torch.empty_like(received).index_copy_(0, order, received)
        return PictureMaps(scaled, (rows, columns), eye=shares_of(eye))

    def cut(self, pixels: Tensor) -> Tensor:
        """uint8 [height, width, 3] → normalised patches [patches, numbers], a token's patches one behind the other, fp32."""
        eye = self.picture_processor
        image = normalised(pixels.permute(2, 0, 1), eye)
        rows, columns = image.shape[1] // eye.patch_size, image.shape[2] // eye.patch_size
        squares = image.view(
            3, rows // eye.merge_size, eye.merge_size, eye.patch_size, columns // eye.merge_size, eye.merge_size, eye.patch_size
        )
        patches = squares.permute(1, 4, 2, 5, 0, 3, 6)[:, :, :, :, :, None]
        return patches.expand(-1, -1, -1, -1, -1, eye.temporal_patch_size, -1, -1).reshape(rows * columns, -1)

    def places(self, rows: int, columns: int) -> dict[str, Tensor]:
        """What the vision tower would work out of the grid for itself, waiting for the device at every layer."""
        if (rows, columns) not in self.known:
            if len(self.known) == KEPT_GRIDS:
                self.known.clear()
            facts = grid_facts(self.vision.visual, rows, columns)
            self.known[rows, columns] = {name: fact if "seqlens" in name else fact.to(self.device) for name, fact in facts.items()}
        return self.known[rows, columns]

    @cached_property
    def known(self) -> dict[tuple[int, int], dict[str, Tensor]]:
        """`places` of grids that were looked at lately."""
        return {}


def grid_facts(visual: Any, rows: int, columns: int) -> dict[str, Tensor]:
    """On the host, by the names that `get_image_features` takes them by; sequences' borders are read there."""
    grid = torch.tensor([[1, rows, columns]])
    merge = int(visual.spatial_merge_size)
    facts = {"image_position_ids": get_vision_position_ids(grid, merge), "image_cu_seqlens": get_vision_cu_seqlens(grid)}
    if hasattr(visual, "window_size"):  # Qwen2.5-VL
        index, borders = get_vision_window_index(grid, merge, visual.window_size, visual.patch_size)
        return facts | {"image_window_index": index, "image_cu_window_seqlens": borders}
    indices, weights = get_vision_interpolation_indices_and_weights(
        grid, visual.num_grid_per_side, visual.interpolation_mode, visual.interpolation_align_corners, merge
    )
    return facts | {"image_interp_indices": indices, "image_interp_weights": weights}
