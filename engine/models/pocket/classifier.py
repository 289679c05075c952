"""Classifies drawn things, which EfficientNet, trained on ImageNet's photographs, hardly knows."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, relu

from engine.models.pocket.efficientnet import GRID_CHANNELS, HEAD_CHANNELS, ImageFeatures
from engine.models.pocket.vocabulary import drawn

WIDTH = 320


class DrawingClassifier(nn.Module):
    """`ImageFeatures` of one thing that fills the picture → logits over the drawn vocabulary [batch, names]."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(HEAD_CHANNELS + GRID_CHANNELS, WIDTH)
        self.out = nn.Linear(WIDTH, len(drawn()))

    def forward(self, image_features: ImageFeatures) -> Tensor:
        pooled = torch.cat((image_features.head.mean((2, 3)), image_features.grid.amax((2, 3))), dim=1)
        hidden = relu(self.hidden(dropout(pooled, 0.2, self.training)))
        logits: Tensor = self.out(dropout(hidden, 0.3, self.training))
        return logits
