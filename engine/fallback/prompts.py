"""Makes of a request what transformers' `generate` reads: the CPU's part of the work, done in any thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from threading import Lock

import torch
from PIL import Image
from transformers import BatchFeature

from engine.errors import RequestError
from engine.fallback.model import FallbackModel
from engine.grammar import Grammars, Matcher
from engine.images.decode import Picture
from engine.models.base import EncodedPicture
from engine.models.card import ChatTemplate
from engine.prompts.context import Context
from engine.prompts.renderer import check
from engine.prompts.turn import Turn
from engine.prompts.window import MARGIN, ContextWindow
from engine.request import Request

KEPT = 4096  # pictures whose length is remembered
REFUSALS = (ValueError, TypeError, KeyError, IndexError, AttributeError)  # a processor's, for what its type can't read


@dataclass(frozen=True)
class ProcessedPrompt(Context):
    """A prompt as the processor made it: its text with a placeholder for each picture, and what `generate` takes."""

    text: str = ""
    images: tuple[Image.Image, ...] = ()
    inputs: BatchFeature = field(default_factory=BatchFeature, compare=False, repr=False)


class PromptProcessor:
    """Prepares requests for one model."""

    def __init__(self, model: FallbackModel) -> None:
        self.model = model
        self._window = ContextWindow(model.card, model.tokenizer)
        self._grammars = Grammars(model.tokenizer, model.vocabulary)
        self._lengths: dict[str, int] = {}  # tokens of pictures, by sha256
        self._lock = Lock()  # a processor's tokenizer is for one thread at a time

    def prepare(self, request: Request) -> Request:
        """The same request with its prompt and its grammar. Raises RequestError (ContextError, …)."""
        return replace(request, context=self.prompt(request), matcher=self.matcher(request))

    def matcher(self, request: Request) -> Matcher | None:
        """As in `engine.core.preprocessing.Preprocessor`."""
        if request.schema is None or request.matcher is not None:
            return request.matcher
        return self._grammars.compile(request.schema)

    def prompt(self, request: Request) -> ProcessedPrompt:
        """Cut to the context window. Raises RequestError for what this type can't read, ContextError for what can't be made to fit."""
        if isinstance(request.context, ProcessedPrompt):
            return request.context
        check(request.turns)
        most = request.generation.max_tokens
        pictures = {picture.key: self._encoding(picture) for picture in request.pictures}
        kept, dropped, length = self._window.fit(request.turns, pictures, most, request.counted)
        limit = self._window.limit(most)
        if length > MARGIN * limit:  # it can't fit, and need not be read to know that
            raise self._window.too_long(length, limit)
        made = self._process(kept, pictures, request.continues, dropped)
        if len(made) > limit:
            raise self._window.too_long(len(made), limit)
        return made

    def batch(self, prompts: list[ProcessedPrompt]) -> BatchFeature:
        """Several prompts as one input, padded."""
        if len(prompts) == 1:
            return prompts[0].inputs
        with self._lock:
            return self.model.process([prompt.text for prompt in prompts], [prompt.images for prompt in prompts])

    def _encoding(self, picture: Picture) -> EncodedPicture:
        """As many tokens as it takes; the network looks at pictures itself."""
        if picture.sha256 not in self._lengths:
            if len(self._lengths) >= KEPT:
                self._lengths.clear()
            template = self.model.card.template
            assert isinstance(template, ChatTemplate)  # noqa: S101  # by `pretrained_card`
            self._lengths[picture.sha256] = len(self._read(template.placeholder, (picture.image,))["input_ids"][0])
        return EncodedPicture(torch.empty(self._lengths[picture.sha256], 0))

    def _process(self, turns: list[Turn], pictures: Mapping[str, EncodedPicture], continues: bool, dropped: int) -> ProcessedPrompt:
        template = self.model.card.template
        assert isinstance(template, ChatTemplate)  # noqa: S101  # by `pretrained_card`
        parts = self._window.renderer(pictures).render(turns, continues)
        images = tuple(part.image for part in parts if isinstance(part, Picture))
        text = self._begin + "".join(part if isinstance(part, str) else template.placeholder for part in parts)
        inputs = self._read(text, images)
        return ProcessedPrompt((tuple(inputs["input_ids"][0].tolist()),), dropped, text, images, inputs)

    @property
    def _begin(self) -> str:
        """The text of the token that every prompt begins with."""
        begin = self.model.tokenizer.bos_id
        return "" if begin is None else self.model.tokenizer.spell(begin)[0]

    def _read(self, text: str, images: tuple[Image.Image, ...]) -> BatchFeature:
        try:
            with self._lock:
                return self.model.process([text], [images])
        except REFUSALS as error:
            raise RequestError(f"A model of type {self.model.card.version} can't read this: {error}", "messages") from None
