"""A picture model as transformers has it, its language half ours: the vision tower and the connector are transformers' own modules.

A picture becomes what its placeholder becomes in transformers: soft tokens from the connector, among tags for tiles where the
processor writes such, so that the engine needs no idea of tiling. The processor scales and tiles in any thread; its bytes are normalised on
the device, which is faster, and so a crowd's answers do not wait for it.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from threading import Lock
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import BatchFeature, PreTrainedModel, ProcessorMixin

from engine.device.async_copy import upload
from engine.models.base import EncodedPicture, PictureMaps, Tokenizer, shares_of
from engine.models.card import Card, ChatTemplate
from engine.models.detail import PIXELS, Detail
from engine.models.llama.llama import Llama
from engine.models.looks import USUAL, Look
from engine.models.pretrained.eye_recorder import recording
from engine.models.pretrained.places import coordinates, patch_places, raster_of, token_places
from engine.models.pretrained.shades import normalised

COORDINATES = ThreadPoolExecutor(1, thread_name_prefix="coordinates")
PROCESSED = "processed"  # in a picture's `info`: what its processor made of it
IN_BYTES = {"do_rescale": False, "do_normalize": False}
WORDS_ONLY = (
    "input_ids",
    "attention_mask",
    "mm_token_type_ids",
    "token_type_ids",
    "batch_num_images",
)  # what the vision tower takes none of


class PretrainedModel:
    """Offers one repository's model as `engine.models.base.VisionLanguageModel` asks for it."""

    detail: Detail | None = None  # how closely it looks at pictures at most, where that is ours to choose; None = as its makers say

    def __init__(
        self,
        card: Card,
        tokenizer: Tokenizer,
        processor: ProcessorMixin,
        vision: PreTrainedModel,
        language: Llama,
        soft: int,
        whole: Mapping[str, bool] | None = None,
    ) -> None:
        """`soft` is the token whose place a soft token takes; `whole` is what tells the processor to look at a picture as a whole, at low
        detail; None where it can't be told so."""
        assert isinstance(card.template, ChatTemplate)  # noqa: S101  # by `pretrained_card`
        self.card, self.tokenizer, self.processor, self.language_model = card, tokenizer, processor, language
        self.vision, self.soft, self.whole = vision, soft, whole
        self.placeholder = card.template.placeholder
        self.processing = Lock()  # a tokenizer is no two threads' at once

    @property
    def device(self) -> torch.device:
        return self.vision.device

    @property
    def options(self) -> Mapping[str, bool]:
        """For the processor's look at pictures."""
        return self.whole if self.whole and self.detail == "low" else {}

    @property
    def eye_pixels(self) -> int | None:
        """Of all tiles together, where the processor cuts a picture into such."""
        eye = self.processor.image_processor
        if pinpoints := getattr(eye, "image_grid_pinpoints", None):
            return int(max(max(shape) for shape in pinpoints))
        size = dict(eye.max_image_size if self.options.get("do_image_splitting") is False else eye.size)
        side = size.get("longest_edge") or size.get("height") or size.get("shortest_edge")
        tiled = self.options.get("crop_to_patches", getattr(eye, "crop_to_patches", False))
        return int(side * (eye.max_patches if tiled else 1) ** 0.5) if side else None

    @property
    def details(self) -> tuple[Detail, ...]:
        """Those that make a difference to it, the coarsest first."""
        return () if self.whole is None else ("low", "normal")

    def choose(self, detail: Detail | None) -> None:
        """Sets the detail, where that is ours to choose; None = as its makers say."""
        self.detail = detail if self.details else None

    def settle(self, look: Look) -> Look:
        """See `engine.models.looks.Looking`."""
        coarser = [each for each in self.details if self.detail is None or PIXELS[each] < PIXELS[self.detail]]
        return Look(look.detail if look.detail in coarser else None)

    def at(self, look: Look) -> PretrainedModel:
        """See `engine.models.looks.Looking`."""
        if look == USUAL:
            return self
        other = copy(self)
        if look.detail is not None:
            other.choose(look.detail)
        return other

    def capture(self, batches: Sequence[int]) -> None:
        """Nothing: a picture's tiles are as many as its shape asks for."""

    def prepare(self, pictures: Sequence[Image.Image]) -> list[Image.Image]:
        """In RGB, with what their processor makes of them."""
        return [self.processed(picture) for picture in pictures]

    def processed(self, picture: Image.Image) -> Image.Image:
        """Again without effect."""
        if isinstance(picture.info.get(PROCESSED), BatchFeature):  # a file can bring a text of any name
            return picture
        ready = picture.convert("RGB")
        with self.processing:
            ready.info[PROCESSED] = self.process(ready, **IN_BYTES)
        return ready

    @torch.inference_mode()
    def encode(self, pictures: Sequence[Image.Image]) -> list[EncodedPicture]:
        """RGB pictures of any size → as many embeddings as each one's shape asks for."""
        return [self.look(picture) for picture in pictures]

    def look(self, picture: Image.Image) -> EncodedPicture:
        """One picture → [tags and soft tokens, width]."""
        inputs = self.processed(picture).info[PROCESSED]
        ids = inputs["input_ids"][0].to(self.language_model.device)
        embeddings = self.language_model.embed(ids)
        seen = self.see(inputs)
        embeddings[ids == self.soft] = rows_of(seen.pooler_output).to(embeddings)
        return EncodedPicture(embeddings)

    def picture_maps(self, picture: Image.Image) -> Generator[None, None, PictureMaps]:
        """See `engine.models.base.ShowsPictureMaps`. Tags among the tiles stand nowhere."""
        making = COORDINATES.submit(self.processed, coordinates(picture.size))
        inputs = self.processed(picture).info[PROCESSED]
        yield
        with recording(self.vision) as recorder:
            self.see(inputs)
        received = recorder.received(self.eye_layers).float().cpu()  # [tiles, CLS and patches]
        while not making.done():
            yield
        tiles = making.result().info[PROCESSED]["pixel_values"].flatten(end_dim=-4)[: len(received)]
        patches = patch_places(tiles, self.patch)
        places = token_places(self.vision, patches, inputs)
        raster = raster_of(places, patches.flatten(end_dim=1), self.patch)
        yield
        down, across = raster.spans(patches.flatten(end_dim=1))
        eye = (down.T @ (received[:, -patches.shape[1] :].reshape(-1, 1) * across)).flatten()
        soft = (inputs["input_ids"][0] == self.soft)[:, None]
        rows, columns = (torch.zeros(len(soft), span.shape[1]).masked_scatter(soft, span) for span in raster.spans(places))
        return PictureMaps(raster.shown(picture), raster.grid, eye=shares_of(eye), spans=(rows, columns))

    @property
    def patch(self) -> int:
        """Pixels of a patch's side."""
        size = self.vision.config.vision_config.patch_size
        return int(size if isinstance(size, int) else size[0])

    @property
    def eye_layers(self) -> int | None:
        """How many of the vision tower's layers soft tokens come from; None: all of them."""
        chosen = getattr(self.vision.config, "vision_feature_layer", None)
        if chosen is None:
            return None
        layers = int(self.vision.config.vision_config.num_hidden_layers)
        return max(each if each >= 0 else layers + 1 + each for each in ([chosen] if isinstance(chosen, int) else chosen))

    def process(self, picture: Image.Image, **options: bool) -> BatchFeature:
        """A picture's pixels as its vision tower takes them, unless `options` say otherwise, and the token ids that it becomes."""
        made: BatchFeature = self.processor(
            text=self.placeholder, images=[picture], return_tensors="pt", add_special_tokens=False, **self.options, **options
        )
        return made

    def see(self, inputs: BatchFeature) -> Any:
        """The processor's pixels → what vision tower and connector make of them."""
        pixels = {name: self.moved(value) for name, value in inputs.items() if name not in WORDS_ONLY}
        return self.vision.get_image_features(**pixels)  # type: ignore[operator]  # every picture model has it

    def moved(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        if value.dtype == torch.uint8:
            value = normalised(upload(value, self.device), self.processor.image_processor)
        return value.to(self.device, self.vision.dtype if value.is_floating_point() else None)


def rows_of(found: Any) -> Tensor:
    """What a connector gave of one picture, as one tensor or one for each tile → [soft tokens, width]."""
    rows: Tensor = torch.cat(list(found)) if isinstance(found, (list, tuple)) else found.reshape(-1, found.shape[-1])
    return rows
