"""Turns a conversation into what the language model reads, token ids and picture embeddings, cut to the context window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice

import torch
from torch import Tensor

from engine.images.decode import Picture
from engine.kv_cache.block_pool import Key
from engine.models.base import EncodedPicture, VisionLanguageModel
from engine.models.card import ChatTemplate
from engine.prompts.renderer import check
from engine.prompts.turn import Turn
from engine.prompts.window import MARGIN, ContextWindow


@dataclass(frozen=True)
class PictureTokens:
    """A picture in the prompt: its `embeddings` [tokens, width], and the sha256 of its file."""

    sha256: str
    embeddings: Tensor

    def __len__(self) -> int:
        return len(self.embeddings)


Segment = tuple[int, ...] | PictureTokens


@dataclass(frozen=True)
class Context:
    """A prompt as the language model reads it: runs of token ids and pictures, in order. `len` is its tokens."""

    segments: tuple[Segment, ...]
    dropped_messages: int  # how many of the oldest messages did not fit

    def __len__(self) -> int:
        return sum(len(segment) for segment in self.segments)

    @property
    def has_pictures(self) -> bool:
        return any(isinstance(segment, PictureTokens) for segment in self.segments)

    def last_tokens(self, count: int) -> tuple[int, ...]:
        """Up to `count` token ids at the end of the prompt's last text."""
        last = self.segments[-1]
        return () if isinstance(last, PictureTokens) else last[-count:]

    @property
    def keys(self) -> list[Key]:
        """One key a token, for the prefix cache: equal keys mean that the language model reads the same."""
        return [
            key
            for segment in self.segments
            for key in ([(segment.sha256, at) for at in range(len(segment))] if isinstance(segment, PictureTokens) else segment)
        ]


class ContextBuilder(ContextWindow):
    """Builds the prompts of one model."""

    def __init__(self, model: VisionLanguageModel) -> None:
        super().__init__(model.card, model.tokenizer)
        self.model = model

    def build(
        self,
        turns: Sequence[Turn],
        encoded: Mapping[str, EncodedPicture],
        max_tokens: int,
        *,
        continues: bool = False,
        counted: dict[str, int] | None = None,
    ) -> Context:
        """The prompt of a conversation whose answer may take `max_tokens`.

        `encoded` holds every picture by sha256; `continues` is as in `Renderer.render`, `counted` as in `count`.
        Raises RequestError for a picture where none may be, and ContextError for a conversation that can't be made to fit.
        """
        check(turns)
        kept, dropped, length = self.fit(turns, encoded, max_tokens, counted)
        limit = self.limit(max_tokens)
        if length <= MARGIN * limit:  # a longer one can't fit, and need not be tokenized to know that
            context = Context(tuple(self.tokenise(kept, encoded, continues)), dropped)
            length = len(context)
            if length <= limit:
                return context
        raise self.too_long(length, limit)

    def tokenise(self, turns: Sequence[Turn], encoded: Mapping[str, EncodedPicture], continues: bool = False) -> list[Segment]:
        """The prompt's segments. Each text is tokenized by itself, and BOS stands before the first only."""
        tokenizer = self.tokenizer
        segments: list[Segment] = []
        if self.template.bos and tokenizer.bos_id is not None:
            segments.append((tokenizer.bos_id,))
        rendered = self.renderer(encoded).render(turns, continues)
        if isinstance(self.template, ChatTemplate):
            return segments + self.split(rendered, encoded, self.template.placeholder)
        for segment in rendered:
            if isinstance(segment, Picture):
                segments.append(PictureTokens(segment.sha256, encoded[segment.sha256].embeddings))
            else:
                segments.append(tuple(tokenizer.encode(segment)))
        return segments

    def split(self, rendered: Sequence[str | Picture], encoded: Mapping[str, EncodedPicture], placeholder: str) -> list[Segment]:
        """Tokenizes all texts as one, as transformers does, and puts each picture in the place of its placeholder's token.

        A tokenizer of SentencePiece would begin each text of its own with a space.
        """
        shown = iter([PictureTokens(part.sha256, encoded[part.sha256].embeddings) for part in rendered if isinstance(part, Picture)])
        ids = self.tokenizer.encode("".join(part if isinstance(part, str) else placeholder for part in rendered))
        [soft] = self.tokenizer.encode(placeholder)
        segments: list[Segment] = []
        for is_picture, run in groupby(ids, key=lambda token: token == soft):
            tokens = tuple(run)
            segments += islice(shown, len(tokens)) if is_picture else [tokens]
        return segments

    @torch.inference_mode()
    def embed(self, context: Context) -> Tensor:
        """The prompt's embeddings [tokens, width], on the model's device."""
        language = self.model.language_model
        parts = [
            segment.embeddings
            if isinstance(segment, PictureTokens)
            else language.embed(torch.tensor(segment, dtype=torch.long, device=language.device))
            for segment in context.segments
        ]
        return torch.cat([part.to(language.device, language.dtype) for part in parts])
