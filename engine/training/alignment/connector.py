"""What stands between a model's frozen eye and its language model, as training sees it; the kinds differ in what of it is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from PIL import Image
from torch import Tensor, nn

from engine.models.base import EncodedPicture, VisionLanguageModel
from engine.training.alignment.features import Features


class Connector(Protocol):
    """Splits a model's way from pixels to soft tokens in a part that is frozen and one that is trained."""

    @property
    def trained(self) -> nn.Module | None:
        """The part that is trained, in fp32; None where only the language model is."""
        ...

    def freeze(self, pictures: Sequence[Image.Image]) -> list[Features]:
        """RGB pictures of any size → what the frozen part makes of them."""
        ...

    def connect(self, features: Sequence[Features]) -> list[EncodedPicture]:
        """What the trained part makes of that, on the model's device and with gradients."""
        ...

    def stored(self) -> Mapping[str, Tensor]:
        """The trained tensors, by the names that the model's files have."""
        ...


class WholeConnector:
    """For runs that train the language model only: a picture's soft tokens are what is kept."""

    trained = None

    def __init__(self, model: VisionLanguageModel) -> None:
        self.model = model

    def freeze(self, pictures: Sequence[Image.Image]) -> list[Features]:
        return [kept(picture) for picture in self.model.encode(pictures)]

    def connect(self, features: Sequence[Features]) -> list[EncodedPicture]:
        device = self.model.device
        return [
            EncodedPicture(each.tensors["embeddings"].to(device), each.words, each.grid, deepstack_of(each, device)) for each in features
        ]

    def stored(self) -> Mapping[str, Tensor]:
        return {}


def kept(picture: EncodedPicture) -> Features:
    tensors = {"embeddings": picture.embeddings, "deepstack": picture.deepstack}
    on_host = {name: tensor.detach().clone().cpu() for name, tensor in tensors.items() if tensor is not None}
    return Features(on_host, len(picture.embeddings), picture.words, picture.grid)


def deepstack_of(features: Features, device: torch.device) -> Tensor | None:
    found = features.tensors.get("deepstack")
    return None if found is None else found.to(device)


def stacked(features: Sequence[Features], name: str, device: torch.device) -> Tensor:
    """One tensor of all pictures, which have one shape, on the device."""
    return torch.stack([each.tensors[name] for each in features]).to(device, non_blocking=True)
