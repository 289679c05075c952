"""The parts that Gander trained for the pocket model, between EfficientNet and the language model, which are frozen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from engine.models.pocket.classifier import DrawingClassifier
from engine.models.pocket.efficientnet import ImageFeatures
from engine.models.pocket.qformer import CONCEPTS, QFormer
from engine.models.pocket.scene import SceneReader
from engine.models.stored_names import use_stored_names

LORA_RANK = 8  # of the LoRA that it brings to the language model


class Bridge(nn.Module):
    """The three trained parts under one roof; their weights travel together."""

    def __init__(self, language_width: int) -> None:
        super().__init__()
        self.reader = SceneReader()
        self.classifier = DrawingClassifier()
        self.qformer = QFormer(language_width)
        use_stored_names(self, {"classifier": "namer"})


def concept_tokens(image_features: ImageFeatures, concepts: Tensor) -> Tensor:
    """EfficientNet's likeliest classes, as [batch, 8, width + 1]: the unit embedding of each name, then its probability.

    `concepts` [1000, width] are the language model's embeddings of the class names.
    """
    probabilities, classes = image_features.logits.float().softmax(-1).topk(CONCEPTS)
    return torch.cat((normalize(concepts[classes].float(), dim=-1), probabilities[..., None]), dim=-1)


def embed_words(words: Sequence[str], encode: Callable[[str], list[int]], embeddings: Tensor) -> Tensor:
    """The mean of the language model's embeddings of each word's tokens, as it stands in a sentence: [words, width], fp32."""
    return torch.stack([embeddings[torch.tensor(encode(f" {word}"))].float().mean(0) for word in words])
