"""Records what a model computes on the way to an answer, to compare other implementations with ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import torch
from torch import Tensor

from engine.core.detokenizer import Detokenizer
from engine.core.token_stream import TokenStream
from engine.images.decode import Picture
from engine.images.embedding_cache import EmbeddingCache
from engine.models.base import VisionLanguageModel
from engine.models.looks import Look, settled
from engine.prompts.context import Context, ContextBuilder, PictureTokens
from engine.prompts.turn import Turn

PICTURE = "<ImageHere>"  # as the release writes it
GREEDY_TOKENS = 20
TOP = 10


@dataclass(frozen=True)
class TurnRecord:
    """One question. `context_length` counts a picture as the tokens it takes; `logits_top` has the next token's best, id and value."""

    question: str
    prompt: str
    segment_token_ids: list[list[int]]
    context_length: int
    greedy_token_ids: list[int]
    greedy_text: str
    logits_top: list[tuple[int, float]]


class Comparison:
    """One conversation with a model, turn by turn. All pictures belong to the first question."""

    def __init__(self, model: VisionLanguageModel, pictures: Sequence[Picture]) -> None:
        self.model, self.contexts = model, ContextBuilder(model)
        look = settled(model, Look(alone=len(pictures) == 1))
        self.unasked = tuple(replace(picture, look=look) for picture in pictures)
        self.encoded = EmbeddingCache(model).encode(self.unasked)
        self.turns: list[Turn] = []

    def ask(self, question: str, answer: str | None) -> TurnRecord:
        """`answer` stands in the next question's context; None = the greedy one."""
        self.turns.append(Turn("user", (*self.unasked, question)))
        self.unasked = ()
        context = Context(tuple(self.contexts.tokenise(self.turns, self.encoded)), 0)
        logits, ids = self.continue_greedily(context)
        text = Detokenizer(self.model.tokenizer, self.model.card.template.stop).decode(ids)[0]
        text = text.rpartition("Assistant:")[2].strip()
        self.turns.append(Turn("assistant", (text if answer is None else answer,)))
        values, best = logits.topk(min(TOP, len(logits)))
        return TurnRecord(
            question=question,
            prompt=self.prompt(self.turns[:-1]),
            segment_token_ids=text_segments(context),
            context_length=len(context),
            greedy_token_ids=ids,
            greedy_text=text,
            logits_top=list(zip(best.tolist(), values.tolist(), strict=True)),
        )

    def prompt(self, turns: Sequence[Turn]) -> str:
        rendered = self.contexts.renderer(self.encoded).render(turns)
        return "".join(PICTURE if isinstance(segment, Picture) else segment for segment in rendered)

    @torch.inference_mode()
    def continue_greedily(self, context: Context) -> tuple[Tensor, list[int]]:
        """The first token's logits [vocabulary], and up to 20 ids, EOS included."""
        stream = TokenStream(self.model.language_model, len(context) + GREEDY_TOKENS)
        first = stream.prefill(self.contexts.inputs(context), self.model.language_model.lora_scales("", context.has_pictures))
        ids = [int(first.argmax())]
        while len(ids) < GREEDY_TOKENS and ids[-1] not in self.model.tokenizer.eos_ids:
            ids.append(int(stream.decode(torch.tensor(ids[-1])).argmax()))
        return first, ids


def text_segments(context: Context) -> list[list[int]]:
    """The ids between the pictures; BOS belongs to the first of them."""
    runs = groupby(context.segments, key=lambda segment: isinstance(segment, PictureTokens))
    return [[token for segment in run if isinstance(segment, tuple) for token in segment] for is_picture, run in runs if not is_picture]
