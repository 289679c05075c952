"""Turns a conversation into what the language model reads, token ids and picture embeddings, cut to the context window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, islice

import torch
from torch import Tensor

from engine.boxes import PLACES, Sight
from engine.device.async_copy import upload
from engine.images.decode import Picture
from engine.kv_cache.block_pool import Key
from engine.models.base import EncodedPicture, VisionLanguageModel
from engine.models.card import Card, ChatTemplate
from engine.models.llama.prompt_inputs import PromptInputs, grid_positions, joined_deepstack, offset_of
from engine.prompts.film import with_timestamps
from engine.prompts.recital import without_quotes
from engine.prompts.renderer import check
from engine.prompts.turn import Turn
from engine.prompts.window import MARGIN, ContextWindow


@dataclass(frozen=True)
class PictureTokens:
    """A picture in the prompt: as it was encoded, and its `Picture.key`."""

    key: str
    picture: EncodedPicture

    def __len__(self) -> int:
        return len(self.picture.embeddings)

    @property
    def keys(self) -> list[Key]:
        """A key for each token; seen in another resolution, it is another picture."""
        name = self.key if self.picture.grid is None else "{} {}×{}".format(self.key, *self.picture.grid)
        return [(name, at) for at in range(len(self))]


Segment = tuple[int, ...] | PictureTokens


@dataclass(frozen=True)
class Context:
    """A prompt as the language model reads it: runs of token ids and pictures, in order. `len` is its tokens."""

    segments: tuple[Segment, ...]
    dropped_messages: int  # how many of the oldest messages did not fit

    def __len__(self) -> int:
        return sum(len(segment) for segment in self.segments)

    def sight(self, card: Card, asked: str) -> Sight | None:
        """By what an answer's places are to be read, where they are about a picture. The card is of a family in `PLACES`; `asked`: what
        it was to find."""
        shown = [segment.picture for segment in self.segments if isinstance(segment, PictureTokens)]
        return Sight(PLACES[card.architecture].form, shown[-1].pixels, asked, shown[-1].known) if shown else None

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
        return [key for segment in self.segments for key in (segment.keys if isinstance(segment, PictureTokens) else segment)]

    @cached_property
    def positions(self) -> Tensor | None:
        """The rotary positions in time, height and width, [3, tokens]; None where they are the places of the tokens."""
        if not any(isinstance(segment, PictureTokens) and segment.picture.grid for segment in self.segments):
            return None
        parts: list[Tensor] = []
        at = 0
        for segment in self.segments:
            grid = segment.picture.grid if isinstance(segment, PictureTokens) else None
            parts.append(torch.arange(at, at + len(segment)).expand(3, -1) if grid is None else grid_positions(at, *grid))
            at += len(segment) if grid is None else max(grid)
        return torch.cat(parts, dim=1)

    @property
    def position_offset(self) -> int:
        """See `offset_of`."""
        return offset_of(self.positions)


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

        `encoded` holds every picture by its `key`; `continues` is as in `Renderer.render`, `counted` as in `count`.
        Raises RequestError for a picture where none may be, and ContextError for a conversation that can't be made to fit.
        """
        check(turns)
        turns = with_timestamps(self.card, without_quotes(self.card, turns))
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
                segments.append(PictureTokens(segment.key, encoded[segment.key]))
            else:
                segments.append(tuple(tokenizer.encode(segment)))
        return segments

    def split(self, rendered: Sequence[str | Picture], encoded: Mapping[str, EncodedPicture], placeholder: str) -> list[Segment]:
        """Tokenizes all texts as one, as transformers does, and puts each picture in the place of its placeholder's token.

        A tokenizer of SentencePiece would begin each text of its own with a space.
        """
        shown = iter([PictureTokens(part.key, encoded[part.key]) for part in rendered if isinstance(part, Picture)])
        ids = self.tokenizer.encode("".join(part if isinstance(part, str) else placeholder for part in rendered))
        [soft] = self.tokenizer.encode(placeholder)
        segments: list[Segment] = []
        for is_picture, run in groupby(ids, key=lambda token: token == soft):
            tokens = tuple(run)
            segments += islice(shown, len(tokens)) if is_picture else [tokens]
        return segments

    def embed(self, context: Context) -> Tensor:
        """The prompt's embeddings [tokens, width], on the model's device."""
        return self.inputs(context).embeddings

    @torch.inference_mode()
    def inputs(self, context: Context, start: int = 0, end: int | None = None) -> PromptInputs:
        """What the language model reads of the prompt's tokens from `start` to before `end`, on its device."""
        parts = [self.read(segment, cut) for segment, cut in stretches(context.segments, start, len(context) if end is None else end)]
        positions = None if context.positions is None else context.positions[:, start:end]
        return PromptInputs(torch.cat([part.embeddings for part in parts]), positions, joined_deepstack(parts))

    def read(self, segment: Segment, cut: slice) -> PromptInputs:
        """A part of one segment."""
        language = self.model.language_model
        if not isinstance(segment, PictureTokens):
            return PromptInputs(language.embed(upload(torch.tensor(segment[cut], dtype=torch.long), language.device)))
        picture = segment.picture
        deepstack = None if picture.deepstack is None else picture.deepstack[:, cut].to(language.device, language.dtype)
        return PromptInputs(picture.embeddings[cut].to(language.device, language.dtype), None, deepstack)


def stretches(segments: Sequence[Segment], start: int, end: int) -> Iterator[tuple[Segment, slice]]:
    """The segments that have tokens from `start` to before `end` of the prompt, and which of their own tokens those are."""
    at = 0
    for segment in segments:
        first, last = max(start - at, 0), min(end - at, len(segment))
        if first < last:
            yield segment, slice(first, last)
        at += len(segment)
