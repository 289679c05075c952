"""Tokens that the device chose, on their way to the host while it goes on with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

import torch
from torch import Tensor

from engine.core.sampler import SamplingParams, log_probabilities
from engine.core.sequences import Row
from engine.device.async_copy import download
from engine.models.base import Tokenizer
from engine.request import Scored, TokenLogprob

Owner = TypeVar("Owner")


class PendingTokens(Generic[Owner]):
    """One step's tokens of some rows, each with whom it belongs to."""

    def __init__(self, rows: Sequence[tuple[Owner, Row]], params: Sequence[SamplingParams], scores: Tensor, tokens: Tensor) -> None:
        """`scores` [rows, vocabulary] are those that `tokens` [rows] were chosen by."""
        self.rows = rows
        self.asked = [row.question.request.logprobs for _, row in rows]
        self.tokens = download(tokens)
        self.chosen: Tensor | None = None
        self.best: Tensor | None = None
        self.logprobs: Tensor | None = None
        if any(count is not None for count in self.asked):
            found = log_probabilities(scores, params)
            likeliest = found.topk(max(1, *(count or 0 for count in self.asked)))
            self.chosen = download(found.gather(1, tokens[:, None])[:, 0])
            self.logprobs, self.best = download(likeliest.values), download(likeliest.indices)
        self.arrived = tokens.is_cuda and torch.cuda.Event()
        if self.arrived:
            self.arrived.record()

    def read(self, tokenizer: Tokenizer) -> Iterator[tuple[Owner, Row, int, tuple[TokenLogprob, ...]]]:
        """Waits until they are here."""
        if self.arrived:
            self.arrived.synchronize()
        for index, ((owner, row), token) in enumerate(zip(self.rows, self.tokens.tolist(), strict=True)):
            yield owner, row, token, self.logprobs_of(index, token, tokenizer, first=not (row.ids or row.question.after))

    def logprobs_of(self, index: int, token: int, tokenizer: Tokenizer, first: bool) -> tuple[TokenLogprob, ...]:
        count = self.asked[index]
        if count is None or self.chosen is None or self.logprobs is None or self.best is None:
            return ()

        def scored(token: int, value: float) -> Scored:
            text, raw = tokenizer.spell(token, first)
            return Scored(text, value, raw)

        top = map(scored, self.best[index, :count].tolist(), self.logprobs[index, :count].tolist())
        written = scored(token, float(self.chosen[index]))
        return (TokenLogprob(written.text, written.logprob, tuple(top), written.raw),)
