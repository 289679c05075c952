"""Makes a conversation fit the model's context window, as token ids and picture embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.blocks import Key
from engine.errors import ContextError
from engine.generation import GenerationRequest, Turn
from engine.models.base import EncodedPicture, VisionLanguageModel
from engine.pictures import Picture
from engine.prompts import Renderer, fit

TARGET = 0.75  # of the window, after old turns were dropped
ANSWER_SHARE = 0.25  # of the window, at most, is kept free for the answer


@dataclass(frozen=True)
class PictureTokens:
    """A picture in the context: its `embeddings` [tokens, width], known by its sha256."""

    sha256: str
    embeddings: Tensor

    def __len__(self) -> int:
        return len(self.embeddings)


Segment = tuple[int, ...] | PictureTokens


@dataclass(frozen=True)
class Context:
    """What the language model reads: token ids and pictures, in order."""

    segments: tuple[Segment, ...]
    dropped_messages: int

    def __len__(self) -> int:
        return sum(len(segment) for segment in self.segments)

    @property
    def has_pictures(self) -> bool:
        return any(isinstance(segment, PictureTokens) for segment in self.segments)

    @property
    def keys(self) -> list[Key]:
        """One a token, equal where the language model reads the same."""
        return [
            key
            for segment in self.segments
            for key in ([(segment.sha256, at) for at in range(len(segment))] if isinstance(segment, PictureTokens) else segment)
        ]


class ContextBuilder:
    """Builds the contexts of one model."""

    def __init__(self, model: VisionLanguageModel) -> None:
        self.model, self.template = model, model.card.template

    def build(self, request: GenerationRequest, encoded: Mapping[str, EncodedPicture]) -> Context:
        """`encoded` holds every picture of the request, by sha256. Raises RequestError, and ContextError when it can't fit."""
        window = self.model.card.context_length
        limit = window - min(request.generation.max_tokens, int(window * ANSWER_SHARE))
        measure = lambda turns: sum(map(len, self.tokenise(turns, encoded)))  # noqa: E731
        turns, dropped = fit(request.turns, measure, limit, int(window * TARGET))
        context = Context(tuple(self.tokenise(turns, encoded)), dropped)
        if len(context) > limit:
            raise ContextError(
                f"The pictures, the system prompt and the last question take {len(context)} tokens; {limit} of the {window} can be used. "
                "Send fewer pictures or a shorter question.",
                "messages",
            )
        return context

    def tokenise(self, turns: Sequence[Turn], encoded: Mapping[str, EncodedPicture]) -> list[Segment]:
        """Each text segment by itself; BOS before the first only."""
        tokenizer = self.model.tokenizer
        segments: list[Segment] = []
        if self.template.bos and tokenizer.bos_id is not None:
            segments.append((tokenizer.bos_id,))
        for segment in Renderer(self.template, tokenizer.specials, lambda picture: encoded[picture.sha256].words).render(turns):
            if isinstance(segment, Picture):
                segments.append(PictureTokens(segment.sha256, encoded[segment.sha256].embeddings))
            else:
                segments.append(tuple(tokenizer.encode(segment)))
        return segments

    @torch.inference_mode()
    def embed(self, context: Context) -> Tensor:
        """[tokens, width], on the model's device."""
        language = self.model.language
        parts = [
            segment.embeddings
            if isinstance(segment, PictureTokens)
            else language.embed(torch.tensor(segment, dtype=torch.long, device=language.device))
            for segment in context.segments
        ]
        return torch.cat([part.to(language.device, language.dtype) for part in parts])
