"""MiniGPT-4 (Zhu et al. 2023): EVA ViT-g and BLIP-2's Q-Former encode pictures, a linear layer projects them into Vicuna's embeddings.

What the release computed in its fp32 layer norm after the ViT, torch's layer norm accumulates in fp32 as well.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from engine.device.async_copy import upload
from engine.device.captured_module import CapturedModule
from engine.models.base import EncodedPicture, PictureMaps, Tokenizer
from engine.models.card import Card
from engine.models.llama.llama import Llama
from engine.models.minigpt4.config import QFormerSizes, VisionSizes
from engine.models.minigpt4.qformer import QueryTransformer
from engine.models.minigpt4.vision_transformer import VisionTransformer
from engine.models.stored_names import use_stored_names

MEAN = (0.48145466, 0.4578275, 0.40821073)  # CLIP's, red green blue
STD = (0.26862954, 0.26130258, 0.27577711)
RESIZE_THREADS = 8  # threads: scaling a picture takes a thread longer than the vision encoder takes for one more in its batch


class PictureEncoder(nn.Module, ABC):
    """Turns pictures [pictures, 3, image_size, image_size], normalised, into soft tokens [pictures, tokens, width]."""

    image_size: int  # pixels
    modality_projector: nn.Linear

    @abstractmethod
    def picture_maps(self, square: Image.Image, pixels: Tensor) -> Generator[None, None, PictureMaps]:
        """See `engine.models.base.ShowsPictureMaps`: of a picture of its size and what `forward` takes for it, [1, 3, …]."""


class VisionEncoder(PictureEncoder):
    """Turns a picture into 32 soft tokens of the language model's width: vision transformer, Q-Former, modality projector.

    In files the parts have BLIP-2's and the release's names.
    """

    def __init__(self, vision: VisionSizes, queries: QFormerSizes, width: int) -> None:
        super().__init__()
        self.image_size = vision.image_size
        self.vision_transformer = VisionTransformer(vision)
        self.query_tokens = nn.Parameter(torch.zeros(1, queries.num_query_tokens, queries.hidden_size))
        self.qformer = QueryTransformer(queries, vision.hidden_size)
        self.modality_projector = nn.Linear(queries.hidden_size, width)
        use_stored_names(self, {"vision_transformer": "vision_model", "modality_projector": "llama_proj"})
        self.eval()

    def forward(self, pixels: Tensor, maps: list[Tensor] | None = None) -> Tensor:
        """[pictures, 3, 224, 224], normalised → [pictures, 32, width]. `maps`: see `QueryTransformer.forward`."""
        patches = self.vision_transformer(pixels)  # [pictures, 257, 1408]: CLS and all patches go on
        queries = self.query_tokens.expand(len(pixels), -1, -1)  # [pictures, 32, 768]
        projected: Tensor = self.modality_projector(self.qformer(queries, patches, maps))
        return projected

    def picture_maps(self, square: Image.Image, pixels: Tensor) -> Generator[None, None, PictureMaps]:
        """`maps` [layers, 32, 256] and `taken` [32, 256]: CLS, which is no place, is left out.

        A layer of the vision transformer each time that it is resumed.
        """
        x = self.vision_transformer.embed(pixels)
        for layer in self.vision_transformer.layers:
            x = layer(x)
            yield
        maps: list[Tensor] = []
        features = self.vision_transformer.post_layernorm(x)
        self.qformer(self.query_tokens, features, maps)
        yield
        taken, side = self.qformer.taken(features, maps)[0, :, 1:], math.isqrt(maps[0].shape[-1])
        return PictureMaps(square, (side, side), torch.stack([weights[0].float().mean(0)[:, 1:] for weights in maps]), taken)


class MiniGPT4:
    """The vision encoder and the language model, as `engine.models.base.VisionLanguageModel` asks for them."""

    def __init__(self, card: Card, tokenizer: Tokenizer, vision_encoder: PictureEncoder, language: Llama) -> None:
        self.card = card
        self.tokenizer = tokenizer
        self.vision_encoder = vision_encoder
        self.encode_pixels: Callable[[Tensor], Tensor] = vision_encoder
        self.language_model = language
        self.resizers = ThreadPoolExecutor(RESIZE_THREADS, thread_name_prefix="squeeze")  # Pillow lets go of Python's lock

    def capture(self, batches: Sequence[int]) -> None:
        """See `engine.models.base.VisionLanguageModel`."""
        size, parameter = self.vision_encoder.image_size, self.vision_encoder.modality_projector.weight
        self.encode_pixels = CapturedModule(
            self.vision_encoder, torch.zeros(1, 3, size, size, dtype=parameter.dtype, device=parameter.device), batches
        )

    @property
    def device(self) -> torch.device:
        return self.vision_encoder.modality_projector.weight.device

    @property
    def eye_pixels(self) -> int:
        return self.vision_encoder.image_size

    def prepare(self, pictures: Sequence[Image.Image]) -> list[Image.Image]:
        """Squares of the vision encoder's size."""
        return list(self.resizers.map(lambda picture: to_square(picture, self.vision_encoder.image_size), pictures))

    @torch.inference_mode()
    def encode(self, pictures: Sequence[Image.Image]) -> list[EncodedPicture]:
        """RGB pictures of any size → the embeddings of each: 32 from a Q-Former, else one for four patches."""
        pixels = upload(as_bytes(self.prepare(pictures)), self.device)
        embeddings = self.encode_pixels(normalise(pixels).to(self.vision_encoder.modality_projector.weight.dtype))
        return [EncodedPicture(embedding.clone()) for embedding in embeddings]  # a view would keep the whole batch

    def picture_maps(self, picture: Image.Image) -> Generator[None, None, PictureMaps]:
        """See `engine.models.base.ShowsPictureMaps`."""
        [square] = self.prepare([picture])
        pixels = normalise(upload(as_bytes([square]), self.device)).to(self.vision_encoder.modality_projector.weight.dtype)
        found = yield from self.vision_encoder.picture_maps(square, pixels)
        return found


def to_square(picture: Image.Image, size: int) -> Image.Image:
    """Scales a picture of any size to a square of `size` pixels, bicubic, neither cropped nor padded."""
    return picture.convert("RGB").resize((size, size), Image.Resampling.BICUBIC)


def as_bytes(squares: Sequence[Image.Image]) -> Tensor:
    """RGB pictures of one size → [pictures, size, size, 3]."""
    return torch.from_numpy(np.stack([np.asarray(square) for square in squares]))


def normalise(pixels: Tensor) -> Tensor:
    """Bytes [pictures, size, size, 3] → [pictures, 3, size, size] with CLIP's mean and deviation, in fp32, where they are."""
    mean, std = (torch.tensor(numbers, device=pixels.device)[:, None, None] for numbers in (MEAN, STD))
    return pixels.permute(0, 3, 1, 2).float().div(255).sub(mean).div(std)
