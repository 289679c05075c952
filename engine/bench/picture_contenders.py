"""The contenders beside a hub's picture model: transformers' own model as a whole, pictures included, on the same weights."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad
from transformers import BatchFeature

from engine.bench.contender import Contender, Timing, UnableError, precision
from engine.bench.roofline import wait_for
from engine.bench.transformers_contenders import (
    CompiledContender,
    ContinuousBatchingContender,
    TransformersContender,
    left_mask,
)
from engine.bench.transformers_model import as_picture_model
from engine.bench.workload import Talk
from engine.images.decode import Picture
from engine.models.base import EncodedPicture, VisionLanguageModel
from engine.models.pretrained.model import WORDS_ONLY, PretrainedModel
from engine.prompts.context import Context, ContextBuilder, PictureTokens


class WholeContender(TransformersContender):
    """`generate` with its defaults, from pixels on."""

    model: PretrainedModel

    def __init__(self, model: PretrainedModel) -> None:
        """`model` is ours, unquantised; the weights are shared with it."""
        self.model = model
        self.name = f"{self.title} {precision(model)}"
        self.contexts = ContextBuilder(model)
        self.oracle = as_picture_model(model)
        self.ends = sorted(model.tokenizer.eos_ids)

    def encode(self, pictures: Sequence[Image.Image]) -> None:
        """One after another, as `generate` gets them; eye and connector are the modules that our engine has too."""
        with torch.inference_mode():
            for picture in pictures:
                self.model.see(self.model.process(picture))
        wait_for(self.model.device)

    def inputs(self, talks: Sequence[Talk]) -> dict[str, Tensor]:
        looks = [[self.model.process(picture.image) for picture in shown(talk)] for talk in talks]
        prompts = [self.ids(talk, look) for talk, look in zip(talks, looks, strict=True)]
        longest, device = max(map(len, prompts)), self.model.device
        ids = torch.stack([pad(prompt, (longest - len(prompt), 0), value=self.ends[0]) for prompt in prompts]).to(device)
        words = {"input_ids": ids, "attention_mask": left_mask([len(prompt) for prompt in prompts]).to(device)}
        if self.model.language_model.config.mrope is not None:
            words["mm_token_type_ids"] = (ids == self.model.soft).int()
        return words | self.pixels([*chain(*looks)])

    def pixels(self, looks: Sequence[BatchFeature]) -> dict[str, Tensor]:
        """Of all pictures, in order."""
        names = [name for name in (looks[0] if looks else ()) if name not in WORDS_ONLY]
        return {name: self.model.moved(torch.cat([look[name] for look in looks])) for name in names}

    def ids(self, talk: Talk, looks: Sequence[BatchFeature]) -> Tensor:
        """The prompt's token ids, where a picture stands those that its processor writes for it."""
        written = {picture.sha256: look["input_ids"][0] for picture, look in zip(shown(talk), looks, strict=True)}
        parts = (
            written[part.key] if isinstance(part, PictureTokens) else torch.tensor(part) for part in self.laid_out(talk, written).segments
        )
        return torch.cat(list(parts))

    def context(self, talk: Talk) -> Context:
        return self.laid_out(talk, {picture.sha256: self.model.process(picture.image)["input_ids"][0] for picture in shown(talk)})

    def laid_out(self, talk: Talk, written: dict[str, Tensor]) -> Context:
        """The prompt with room for pictures of so many tokens."""
        rooms = {sha256: EncodedPicture(torch.empty(len(ids), 0)) for sha256, ids in written.items()}
        return Context(tuple(self.contexts.tokenise(talk, rooms)), 0)


class WholeCompiledContender(CompiledContender, WholeContender):
    """See both."""


class BlindContender(ContinuousBatchingContender):
    """transformers' continuous batching takes a picture model's ids, and answers as if no picture were there."""

    def __init__(self, model: PretrainedModel) -> None:
        self.model, self.name = model, f"{self.title} {precision(model)}"

    def answer(self, talk: Talk, tokens: int) -> Timing:
        raise UnableError("drops pictures")

    def write(self, talks: Sequence[Talk], tokens: int) -> None:
        raise UnableError("drops pictures")

    def close(self) -> None:
        """There is nothing to free."""


def shown(talk: Talk) -> list[Picture]:
    return [part for turn in talk for part in turn.parts if isinstance(part, Picture)]


def generate_contender(model: VisionLanguageModel) -> Contender:
    return WholeContender(model) if isinstance(model, PretrainedModel) else TransformersContender(model)


def compiled_contender(model: VisionLanguageModel) -> Contender:
    return WholeCompiledContender(model) if isinstance(model, PretrainedModel) else CompiledContender(model)


def batching_contender(model: VisionLanguageModel) -> Contender:
    return BlindContender(model) if isinstance(model, PretrainedModel) else ContinuousBatchingContender(model)
