"""The pocket model's connector: its Q-Former, or the projection alone. What its reader and classifier find is told in words as before."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import torch
from PIL import Image
from torch import Tensor, nn

from engine.models.base import EncodedPicture
from engine.models.pocket.pocket import Pocket
from engine.models.pocket.qformer import QFormer
from engine.models.pocket.scene_facts import words
from engine.training.alignment.connector import stacked
from engine.training.alignment.features import Features


class TrainedBridge(nn.Module):
    """A copy of the Q-Former under the names that the bridge's file has; unless `whole`, only what comes last in it is trained."""

    def __init__(self, qformer: QFormer, *, whole: bool) -> None:
        super().__init__()
        self.qformer = copy.deepcopy(qformer).float().requires_grad_(whole)
        self.qformer.projection.requires_grad_(True)
        self.qformer.length.requires_grad_(True)


class PocketConnector:
    """Frozen are EfficientNet, the scene reader and, unless `with_qformer`, the Q-Former up to its projection."""

    def __init__(self, model: Pocket, *, with_qformer: bool) -> None:
        self.model, self.with_qformer = model, with_qformer
        self.trained = TrainedBridge(model.perception.bridge.qformer, whole=with_qformer)

    @torch.no_grad()
    def freeze(self, pictures: Sequence[Image.Image]) -> list[Features]:
        """One by one, as it is served."""
        return [self.look(picture) for picture in pictures]

    def look(self, picture: Image.Image) -> Features:
        """What the Q-Former reads of a picture, or what it knows of it."""
        facts, (image_features, maps, concepts) = self.model.perception.read(picture)
        qformer = self.model.perception.bridge.qformer
        kept = {"scene": maps.features, "head": image_features.head, "concepts": concepts}
        if not self.with_qformer:
            kept = {"known": qformer.looked(qformer.memory_of(**kept))}
        return Features({name: tensor[0].cpu() for name, tensor in kept.items()}, qformer.queries.shape[1], words(facts))

    def connect(self, features: Sequence[Features]) -> list[EncodedPicture]:
        """[24, width] each, in fp32."""
        trained = self.trained.qformer
        kept = {name: stacked(features, name, self.model.device).float() for name in features[0].tensors}
        known = trained.looked(trained.memory_of(**kept)) if self.with_qformer else kept["known"]
        return [EncodedPicture(soft, each.words) for soft, each in zip(trained.project(known), features, strict=True)]

    def stored(self) -> Mapping[str, Tensor]:
        """By the names in the bridge's file."""
        return {f"bridge.{name}": tensor.detach() for name, tensor in self.trained.named_parameters() if tensor.requires_grad}
