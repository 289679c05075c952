"""The picture half of MiniGPT-v2 (Chen et al. 2023, arXiv 2310.09478), and of MiniGPT-4 for Llama 2: no Q-Former between eye and words.

Four neighbouring patches of EVA's ViT-g stand side by side as one soft token: 64 of a picture of 224 pixels, 256 of one of 448.
"""

from __future__ import annotations

from collections.abc import Generator

import torch
from PIL import Image
from torch import Tensor, nn

from engine.models.base import PictureMaps, shares_of
from engine.models.minigpt4.config import NEIGHBOURS, VisionSizes
from engine.models.minigpt4.minigpt4 import PictureEncoder
from engine.models.minigpt4.vision_transformer import VisionTransformer
from engine.models.stored_names import use_stored_names


class PatchEncoder(PictureEncoder):
    """Turns a picture into soft tokens of the language model's width: vision transformer, four patches to one, modality projector."""

    def __init__(self, sizes: VisionSizes, width: int) -> None:
        super().__init__()
        self.image_size, self.patch_size = sizes.image_size, sizes.patch_size
        self.vision_transformer = VisionTransformer(sizes)
        self.modality_projector = nn.Linear(NEIGHBOURS * sizes.hidden_size, width)
        use_stored_names(self, {"vision_transformer": "vision_model", "modality_projector": "llama_proj"})
        self.eval()

    def forward(self, pixels: Tensor) -> Tensor:
        """[pictures, 3, 448, 448], normalised → [pictures, 256, width]."""
        patches = self.vision_transformer(pixels)[:, 1:]  # [pictures, 1024, 1408], row by row, without CLS
        projected: Tensor = self.modality_projector(patches.unflatten(1, (-1, NEIGHBOURS)).flatten(2))
        return projected

    def picture_maps(self, square: Image.Image, pixels: Tensor) -> Generator[None, None, PictureMaps]:
        """Each token stands for neighbours in a row: there is no Q-Former to look elsewhere, but the eye's own attention.

        A layer of the vision transformer each time that it is resumed.
        """
        side, received = pixels.shape[-1] // self.patch_size, list[Tensor]()
        x = self.vision_transformer.embed(pixels)
        for layer in self.vision_transformer.layers:
            x = layer(x, received)
            yield
        patches = torch.stack(received).mean(0)[0, 1:]  # without CLS, which is no place
        return PictureMaps(square, (side, side // NEIGHBOURS), eye=shares_of(patches.view(-1, NEIGHBOURS).sum(1)))
