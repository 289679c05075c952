"""MiniGPT-4's connector: the release trained the projection alone; the Q-Former before it may be trained too."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import torch
from PIL import Image
from torch import Tensor, nn

from engine.device.async_copy import upload
from engine.errors import ModelError
from engine.models.base import EncodedPicture
from engine.models.minigpt4.minigpt4 import MiniGPT4, VisionEncoder, as_bytes, normalise
from engine.models.stored_names import use_stored_names
from engine.training.alignment.connector import stacked
from engine.training.alignment.features import Features


class TrainedVision(nn.Module):
    """A copy in fp32 of what is trained, under the names of files."""

    def __init__(self, encoder: VisionEncoder, *, with_qformer: bool) -> None:
        super().__init__()
        self.modality_projector = copy.deepcopy(encoder.modality_projector)
        self.qformer = copy.deepcopy(encoder.qformer) if with_qformer else None
        self.query_tokens = nn.Parameter(encoder.query_tokens.detach().clone()) if with_qformer else None
        use_stored_names(self, {"modality_projector": "llama_proj"})
        self.float().requires_grad_(True)

    def forward(self, seen: Tensor) -> Tensor:
        """The Q-Former's tokens, or, with it, the vision transformer's → [pictures, 32, width]."""
        if self.qformer is not None and self.query_tokens is not None:
            seen = self.qformer(self.query_tokens.expand(len(seen), -1, -1), seen)
        projected: Tensor = self.modality_projector(seen)
        return projected


class MiniGPT4Connector:
    """Frozen are the vision transformer and, unless `with_qformer`, the Q-Former."""

    def __init__(self, model: MiniGPT4, *, with_qformer: bool) -> None:
        if not isinstance(model.vision_encoder, VisionEncoder):
            raise ModelError(f"{model.card.name} has no Q-Former, and the connector of such a model is not trained here: take minigpt4-7b.")
        self.model, self.encoder, self.with_qformer = model, model.vision_encoder, with_qformer
        self.trained = TrainedVision(self.encoder, with_qformer=with_qformer)

    @torch.no_grad()
    def freeze(self, pictures: Sequence[Image.Image]) -> list[Features]:
        """The Q-Former's 32 tokens of a picture, or the vision transformer's 257."""
        encoder = self.encoder
        pixels = normalise(upload(as_bytes(self.model.prepare(pictures)), self.model.device)).to(encoder.query_tokens.dtype)
        seen = encoder.vision_transformer(pixels)
        if not self.with_qformer:
            seen = encoder.qformer(encoder.query_tokens.expand(len(pixels), -1, -1), seen)
        return [Features({"seen": each.clone()}, encoder.query_tokens.shape[1]) for each in seen.cpu()]

    def connect(self, features: Sequence[Features]) -> list[EncodedPicture]:
        """[32, width] each, in fp32."""
        return [EncodedPicture(each) for each in self.trained(stacked(features, "seen", self.model.device).float())]

    def stored(self) -> Mapping[str, Tensor]:
        """By the names in `eye*.safetensors`."""
        found: dict[str, Tensor] = self.trained.state_dict()
        return found
