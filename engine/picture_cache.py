"""Keeps what the eye made of recent pictures, so that a follow-up question never encodes its picture again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch

from engine.models.base import EncodedPicture, VisionLanguageModel
from engine.pictures import Picture


class PictureCache:
    """The `bound` most recently used encodings, by sha256. One in fp16 for a 7B takes 0.25 MiB."""

    def __init__(self, model: VisionLanguageModel, bound: int = 256) -> None:
        self.model, self.bound = model, bound
        self.encoded: OrderedDict[str, EncodedPicture] = OrderedDict()

    @torch.inference_mode()
    def encode(self, pictures: Sequence[Picture]) -> dict[str, EncodedPicture]:
        """Encodings by sha256 of all `pictures`; those not met before are encoded in one batch."""
        wanted = {picture.sha256: picture.image for picture in pictures}
        missing = [sha256 for sha256 in wanted if sha256 not in self.encoded]
        fresh = self.model.encode([wanted[sha256] for sha256 in missing]) if missing else []
        found = {sha256: self.encoded[sha256] for sha256 in wanted if sha256 in self.encoded}
        found.update(zip(missing, fresh, strict=True))
        for sha256, encoding in found.items():
            self.encoded[sha256] = encoding
            self.encoded.move_to_end(sha256)
        while len(self.encoded) > self.bound:
            self.encoded.popitem(last=False)
        return found
