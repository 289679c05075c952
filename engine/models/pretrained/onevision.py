"""LLaVA-OneVision: a picture shown alone is cut into tiles, of several each is seen as a whole; its makers trained it so."""

from __future__ import annotations

from typing import Any

from PIL import Image
from transformers import BatchFeature

from engine.models.detail import Detail
from engine.models.looks import Look
from engine.models.pretrained.model import PretrainedModel


class OneVisionModel(PretrainedModel):
    """Low detail sees a single picture as one of several."""

    alone = True
    details: tuple[Detail, ...] = ("low", "normal")

    def settle(self, look: Look) -> Look:
        """See `engine.models.looks.Looking`."""
        return Look(alone=self.detail == "low" or (look.alone and look.detail != "low"))

    def at(self, look: Look) -> OneVisionModel:
        other = super().at(look)
        assert isinstance(other, OneVisionModel)  # noqa: S101  # a copy of this one
        other.alone = look.alone
        return other

    def process(self, picture: Image.Image, **options: bool) -> BatchFeature:
        """As one of two, where it is to be seen as a whole: the processor has no other word for it."""
        if self.alone and self.detail != "low":
            return super().process(picture, **options)
        pair = self.processor(
            text=2 * self.placeholder, images=[[picture, picture]], return_tensors="pt", add_special_tokens=False, **options
        )
        ids = pair["input_ids"]
        first = {"input_ids": ids[:, : ids.shape[1] // 2], "pixel_values": pair["pixel_values"][:1], "image_sizes": pair["image_sizes"][:1]}
        return BatchFeature({**first, "batch_num_images": pair["batch_num_images"]})

    def see(self, inputs: BatchFeature) -> Any:
        """See `PretrainedModel`; the vision tower asks of how many pictures this is one."""
        return self.vision.get_image_features(  # type: ignore[operator]  # every picture model has it
            self.moved(inputs["pixel_values"]), inputs["image_sizes"], batch_num_images=inputs["batch_num_images"]
        )
