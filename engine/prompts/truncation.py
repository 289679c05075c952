"""Makes a conversation fit the model's context window, as token ids and picture embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice

import torch
from torch import Tensor

from engine.errors import ContextError
from engine.images.decode import Picture
from engine.kv_cache.block_pool import Key
from engine.models.base import EncodedPicture, VisionLanguageModel
from engine.models.card import ChatTemplate
from engine.prompts.chat_template import ChatRenderer
from engine.prompts.renderer import Renderer, check, fit, merge
from engine.prompts.turn import Turn
from engine.request import Request

TARGET = 0.75  # of the window, after old turns were dropped
PIECE = 4096  # characters that are counted at a time
SURELY = 1.25  # times the limit: what is counted piece by piece as more than this is more than the limit
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
    def after(self) -> tuple[int, ...]:
        """The last tokens of its last text, enough for a character."""
        last = self.segments[-1]
        return () if isinstance(last, PictureTokens) else last[-4:]

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

    def read_ahead(self, request: Request, encoded: Mapping[str, EncodedPicture]) -> Request:
        """The request with its context, as far as its pictures are known by now, else with its texts counted. Any thread may do this.

        Raises RequestError, and ContextError when it can't fit.
        """
        found = {picture.sha256: encoded.get(picture.sha256) for picture in request.pictures}
        known = {sha256: encoding for sha256, encoding in found.items() if encoding is not None}
        if len(known) == len(found):
            return replace(request, context=self.build(request, known))
        check(request.turns)
        self.fit(request, known)
        return request

    def build(self, request: Request, encoded: Mapping[str, EncodedPicture]) -> Context:
        """`encoded` holds every picture of the request, by sha256. Raises RequestError, and ContextError when it can't fit."""
        check(request.turns)
        turns, dropped, length = self.fit(request, encoded)
        limit = self.limit(request)
        if length <= SURELY * limit:  # else there is no need to read it
            context = Context(tuple(self.tokenise(turns, encoded, request.continues)), dropped)
            length = len(context)
            if length <= limit:
                return context
        window = self.model.card.context_length
        raise ContextError(
            # In OpenAI's own phrases, by which clients know what is the matter.
            f"This model's maximum context length is {window} tokens. Input tokens exceed the configured limit of {limit} tokens: "
            f"the pictures, the system prompt and the last question take {length} or more. Send fewer pictures or a shorter question.",
            "messages",
        )

    def limit(self, request: Request) -> int:
        """How many tokens of the window are not kept free for the answer."""
        window = self.model.card.context_length
        return window - min(request.generation.max_tokens, int(window * ANSWER_SHARE))

    def fit(self, request: Request, encoded: Mapping[str, EncodedPicture]) -> tuple[list[Turn], int, int]:
        """The turns that are kept, how many messages are not, and about how many tokens they take: never fewer than they do, but
        for pictures that are not `encoded` yet."""
        renderer = self.renderer(encoded)
        limit = self.limit(request)

        def count(segments: Sequence[str | Picture]) -> int:
            return sum(
                self.count(segment, limit, request.counted)
                if isinstance(segment, str)
                else len(encoded[segment.sha256].embeddings)
                if segment.sha256 in encoded
                else 0
                for segment in merge(segments)
            )

        def measure(turn: Turn) -> int:
            return count(renderer.turn(turn)) if turn.parts else 0

        answer = "" if isinstance(self.template, ChatTemplate) else self.template.answer
        frame = count([*renderer.frame(request.turns), answer]) + self.template.bos
        told = renderer.told(request.turns)
        kept, dropped = fit(told, measure, limit - frame, int(self.model.card.context_length * TARGET) - frame)
        system = [turn for turn in request.turns if turn.role == "system"]
        return [*system, *kept], dropped, frame + sum(map(measure, kept))

    def count(self, text: str, limit: int, counted: dict[str, int]) -> int:
        """Its tokens, piece by piece and no further than `limit`; a word that two pieces share may count one too many."""
        if text not in counted:
            found = 0
            for at in range(0, len(text), PIECE):
                found += len(self.model.tokenizer.encode(text[at : at + PIECE]))
                if found > SURELY * limit:
                    break
            counted[text] = found
        return counted[text]

    def renderer(self, encoded: Mapping[str, EncodedPicture]) -> Renderer | ChatRenderer:
        def words(picture: Picture) -> str:
            return encoded[picture.sha256].words if picture.sha256 in encoded else ""

        if isinstance(self.template, ChatTemplate):
            return ChatRenderer(self.template, self.model.tokenizer.specials, words)
        return Renderer(self.template, self.model.tokenizer.specials, words)

    def tokenise(self, turns: Sequence[Turn], encoded: Mapping[str, EncodedPicture], continues: bool = False) -> list[Segment]:
        """Each text segment by itself; BOS before the first only. `continues` as in `Renderer.render`."""
        tokenizer = self.model.tokenizer
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
        """Read as one text, as transformers does: a tokenizer of SentencePiece begins each text of its own with a space."""
        shown = iter([PictureTokens(part.sha256, encoded[part.sha256].embeddings) for part in rendered if isinstance(part, Picture)])
        ids = self.model.tokenizer.encode("".join(part if isinstance(part, str) else placeholder for part in rendered))
        [soft] = self.model.tokenizer.encode(placeholder)
        segments: list[Segment] = []
        for is_picture, run in groupby(ids, key=lambda token: token == soft):
            tokens = tuple(run)
            segments += islice(shown, len(tokens)) if is_picture else [tokens]
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
