"""The pocket model's image classifier alone: the baseline that the whole model has to reach."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image

from engine.models.pocket.efficientnet import EfficientNet, normalise, pixels_of, square
from engine.models.pocket.vocabulary import imagenet
from engine.weights.loader import load_tensors


class ClassifierBaseline:
    """ImageNet's best class for a picture, without any language model. `folder` is the ready model folder."""

    def __init__(self, folder: Path) -> None:
        self.efficientnet = EfficientNet()
        self.efficientnet.load_weights(load_tensors(folder / "eye.safetensors"))

    @torch.inference_mode()
    def __call__(self, picture: Image.Image) -> tuple[str, ...]:
        """Its exact and its everyday name, such as ("golden retriever", "dog")."""
        best = self.efficientnet(normalise(pixels_of(square(picture))[None])).logits.argmax()
        entry = imagenet()[int(best)]
        return entry.fine, entry.name
