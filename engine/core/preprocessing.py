"""The CPU's part of the work on a request, done before the device's thread takes it: grammar, tokens, smaller pictures."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from PIL.Image import Image

from engine.grammar import Grammars, Matcher
from engine.images.embedding_cache import EmbeddingCache
from engine.models.base import VisionLanguageModel
from engine.models.looks import by_look, settled
from engine.prompts.context import Context, ContextBuilder
from engine.prompts.renderer import check
from engine.request import Request


class Preprocessor:
    """Prepares requests for one engine."""

    def __init__(self, model: VisionLanguageModel, embeddings: EmbeddingCache) -> None:
        self.model, self.embeddings = model, embeddings
        self.contexts = ContextBuilder(model)
        self.grammars = Grammars(model.tokenizer, model.language_model.config.vocab_size)

    def prepare(self, request: Request) -> Request:
        """The same request with its grammar compiled, its texts tokenized and its pictures scaled to what the model takes.

        Any thread may call this, before `Engine.add`; a request that was not prepared is answered alike, and holds the device up.
        Pictures that are encoded already keep their pixels. Raises RequestError (ContextError, …).
        """
        request = self.with_context(self.with_looks(replace(request, matcher=self.matcher(request))))
        encoded = self.embeddings.encoded
        new = {picture.key: picture for picture in request.pictures if picture.key not in encoded}
        images: dict[str, Image] = {}
        for model, pictures in by_look(self.model, new.values()):
            ready = model.prepare([picture.image for picture in pictures])
            images |= zip([picture.key for picture in pictures], ready, strict=True)
        return request.with_images(images)

    def with_looks(self, request: Request) -> Request:
        """With its pictures as this model looks at them."""
        return request.with_looks(partial(settled, self.model))

    def with_context(self, request: Request) -> Request:
        """With its prompt if all its pictures are encoded; else its texts are counted, and refused if even they can't fit."""
        found = {picture.key: self.embeddings.encoded.get(picture.key) for picture in request.pictures}
        known = {key: encoding for key, encoding in found.items() if encoding is not None}
        if len(known) == len(found):
            return replace(
                request,
                context=self.contexts.build(
                    request.turns, known, request.generation.max_tokens, continues=request.continues, counted=request.counted
                ),
            )
        check(request.turns)
        self.contexts.fit(request.turns, known, request.generation.max_tokens, request.counted)
        return request

    def matcher(self, request: Request) -> Matcher | None:
        """The grammar that its answers keep to, at their beginning. Raises RequestError for a schema that can't be kept to."""
        if request.schema is None or request.matcher is not None:
            return request.matcher
        return self.grammars.compile(request.schema)

    def context(self, request: Request) -> Context:
        """The prompt of a request whose pictures are all encoded. Raises RequestError, and ContextError when it can't fit."""
        if request.context is not None:
            return request.context
        encoded = self.embeddings.encode(request.pictures)
        return self.contexts.build(
            request.turns, encoded, request.generation.max_tokens, continues=request.continues, counted=request.counted
        )
