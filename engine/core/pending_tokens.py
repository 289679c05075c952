"""Tokens that the device chose, on their way to the host while the device goes on with them."""

from __future__ import annotations

from collections import abc
from collections.abc import Iterator

import torch
from torch import Tensor

from engine.core.sampler import log_probabilities
from engine.core.sampling_params import SamplingParams
from engine.core.sequences import Sequence
from engine.device.async_copy import download
from engine.models.base import Tokenizer
from engine.request import Scored, TokenLogprob


class PendingTokens:
    """One step's tokens, one for each of its sequences."""

    def __init__(
        self, sequences: abc.Sequence[Sequence], tokens: Tensor, scores: Tensor, params: abc.Sequence[SamplingParams] = ()
    ) -> None:
        """`scores` [rows, vocabulary] are those that `tokens` [rows] were chosen by, both on the device; `params` say how, which only
        log-probabilities need.
        """
        self.sequences = sequences
        self.asked = [sequence.group.request.logprobs for sequence in sequences]  # how many alternatives a token
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

    @property
    def constrain_next(self) -> bool:
        """Whether a grammar must see one of the tokens before that row's next token can be chosen."""
        return any(sequence.matcher is not None for sequence in self.sequences)

    def collect(self, tokenizer: Tokenizer) -> Iterator[tuple[Sequence, int, tuple[TokenLogprob, ...]]]:
        """Waits for the device → each sequence, its token, and the log-probabilities that were asked for."""
        if self.arrived:
            self.arrived.synchronize()
        for index, (sequence, token) in enumerate(zip(self.sequences, self.tokens.tolist(), strict=True)):
            first = not (sequence.ids or sequence.group.continued)
            yield sequence, token, self.logprobs_of(index, token, tokenizer, first)

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
