"""The pocket model: a toy. A frozen EfficientNet, a small trained bridge, and a small language model.

It knows colours, counts, shapes, places and common animals and things; it names no people and reads no text.
Words that the bot read are said by engine/prompts/recital.py.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import torch
from PIL import Image

from engine.models.base import EncodedPicture, PictureMaps, Tokenizer
from engine.models.card import Card
from engine.models.llama.llama import Llama
from engine.models.pocket.efficientnet import SIDE
from engine.models.pocket.perception import Perception
from engine.models.pocket.scene_facts import words


class Pocket:
    """The parts, as `engine.models.base.VisionLanguageModel` asks for them."""

    def __init__(self, card: Card, tokenizer: Tokenizer, perception: Perception, language: Llama) -> None:
        self.card, self.tokenizer = card, tokenizer
        self.perception, self.language_model = perception, language

    @property
    def device(self) -> torch.device:
        return self.perception.device

    @property
    def eye_pixels(self) -> int:
        return SIDE

    def capture(self, batches: Sequence[int]) -> None:
        """Nothing to do: pictures are looked at one by one, and not only by the device."""

    def prepare(self, pictures: Sequence[Image.Image]) -> list[Image.Image]:
        """As they are: it looks at details in their own size."""
        return list(pictures)

    def encode(self, pictures: Sequence[Image.Image]) -> list[EncodedPicture]:
        """RGB pictures of any size → 24 soft tokens each, and a line of words."""
        facts = [self.perception.perceive(picture) for picture in pictures]
        return [EncodedPicture(soft, words(facts), known=facts.boxes) for facts, soft in facts]

    def picture_maps(self, picture: Image.Image) -> Generator[None, None, PictureMaps]:
        """See `engine.models.base.ShowsPictureMaps`. One piece: the encoder is small."""
        maps = self.perception.query_maps(picture)
        yield
        return maps
