"""Turns a conversation into what the language model reads, token ids and picture embeddings, cut to the context window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice

import torch
from torch import Tensor

from engine.errors import ContextError
from engine.images.decode import Picture
from engine.kv_cache.block_pool import Key
from engine.models.base import EncodedPicture, VisionLanguageModel
from engine.models.card import ChatTemplate
from engine.prompts.jinja_renderer import ChatRenderer
from engine.prompts.renderer import Renderer, check, merge
from engine.prompts.truncation import truncate
from engine.prompts.turn import Turn

TARGET = 0.75  # share of the window that a conversation may fill after old turns were dropped
PIECE = 4096  # characters of a text that are tokenized at a time when its tokens are counted
MARGIN = 1.25  # a text counted as more than this many times the limit is surely longer than the limit
ANSWER_SHARE = 0.25  # of the window is the most that is kept free for the answer


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

    @property
    def last_tokens(self) -> tuple[int, ...]:
        """Up to four token ids at the end of the prompt's last text: a character may take four."""
        last = self.segments[-1]
        return () if isinstance(last, PictureTokens) else last[-4:]

    @property
    def keys(self) -> list[Key]:
        """One key a token, for the prefix cache: equal keys mean that the language model reads the same."""
        return [
            key
            for segment in self.segments
            for key in ([(segment.sha256, at) for at in range(len(segment))] if isinstance(segment, PictureTokens) else segment)
        ]


class ContextBuilder:
    """Builds the prompts of one model."""

    def __init__(self, model: VisionLanguageModel) -> None:
        self.model, self.template = model, model.card.template

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
        window = self.model.card.context_length
        raise ContextError(
            # In OpenAI's own phrases, by which clients know what is the matter.
            f"This model's maximum context length is {window} tokens. Input tokens exceed the configured limit of {limit} tokens: "
            f"the pictures, the system prompt and the last question take {length} or more. Send fewer pictures or a shorter question.",
            "messages",
        )

    def limit(self, max_tokens: int) -> int:
        """How many tokens a prompt may have: the window less what is kept free for an answer of `max_tokens`."""
        window = self.model.card.context_length
        return window - min(max_tokens, int(window * ANSWER_SHARE))

    def fit(
        self, turns: Sequence[Turn], encoded: Mapping[str, EncodedPicture], max_tokens: int, counted: dict[str, int] | None = None
    ) -> tuple[list[Turn], int, int]:
        """The turns that are kept, how many messages are dropped, and an upper bound of the tokens that are kept.

        A picture that is not in `encoded` counts as no token.
        """
        renderer, limit = self.renderer(encoded), self.limit(max_tokens)
        known = {} if counted is None else counted

        def count(segments: Sequence[str | Picture]) -> int:
            return sum(
                self.count(segment, limit, known)
                if isinstance(segment, str)
                else len(encoded[segment.sha256].embeddings)
                if segment.sha256 in encoded
                else 0
                for segment in merge(segments)
            )

        def measure(turn: Turn) -> int:
            return count(renderer.turn(turn)) if turn.parts else 0

        answer = "" if isinstance(self.template, ChatTemplate) else self.template.answer
        frame = count([*renderer.frame(turns), answer]) + self.template.bos
        target = int(self.model.card.context_length * TARGET)
        kept, dropped = truncate(renderer.without_system(turns), measure, limit - frame, target - frame)
        system = [turn for turn in turns if turn.role == "system"]
        return [*system, *kept], dropped, frame + sum(map(measure, kept))

    def count(self, text: str, limit: int, counted: dict[str, int]) -> int:
        """The tokens of `text`, counted no further than `limit` needs; a word across two pieces may count one too many.

        `counted` remembers the tokens of texts that were counted before.
        """
        if text not in counted:
            found = 0
            for at in range(0, len(text), PIECE):
                found += len(self.model.tokenizer.encode(text[at : at + PIECE]))
                if found > MARGIN * limit:
                    break
            counted[text] = found
        return counted[text]

    def renderer(self, encoded: Mapping[str, EncodedPicture]) -> Renderer | ChatRenderer:
        """The model's template, filled with what `encoded` says in words of each picture."""

        def words(picture: Picture) -> str:
            return encoded[picture.sha256].words if picture.sha256 in encoded else ""

        if isinstance(self.template, ChatTemplate):
            return ChatRenderer(self.template, self.model.tokenizer.specials, words)
        return Renderer(self.template, self.model.tokenizer.specials, words)

    def tokenise(self, turns: Sequence[Turn], encoded: Mapping[str, EncodedPicture], continues: bool = False) -> list[Segment]:
        """The prompt's segments. Each text is tokenized by itself, and BOS stands before the first only."""
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
        """Tokenizes all texts as one, as transformers does, and puts each picture in the place of its placeholder's token.

        A tokenizer of SentencePiece would begin each text of its own with a space.
        """
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
        """The prompt's embeddings [tokens, width], on the model's device."""
        language = self.model.language_model
        parts = [
            segment.embeddings
            if isinstance(segment, PictureTokens)
            else language.embed(torch.tensor(segment, dtype=torch.long, device=language.device))
            for segment in context.segments
        ]
        return torch.cat([part.to(language.device, language.dtype) for part in parts])
