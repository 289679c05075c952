"""One request's rows on the device: the prompt once, then a token a row and step."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from engine.kv_cache import cache_for
from engine.models.llama import Llama

CHUNK = 512  # prompt tokens a pass: bounds memory, and how long a cancelled request goes on


class Runner:
    """The state between steps. Rows share the prompt and have one length."""

    def __init__(self, language: Llama, rows: int, capacity: int, gate: Tensor | None) -> None:
        """`capacity` in tokens a row, prompt included; `gate` as in `Llama.forward`."""
        self.language, self.rows, self.gate = language, rows, gate
        self.cache = cache_for(language, 1, capacity)

    @torch.inference_mode()
    def prefill(self, hidden: Tensor, cancelled: Callable[[], bool]) -> Tensor | None:
        """The prompt's embeddings [1, tokens, width] → next-token logits [rows, vocabulary]; None when cancelled."""
        for chunk in hidden.split(CHUNK, dim=1):
            if cancelled():
                return None
            final = self.forward(chunk)
        self.cache = self.cache.spread(self.rows)
        return self.language.logits(final[:, -1]).expand(self.rows, -1)

    @torch.inference_mode()
    def step(self, ids: Tensor) -> Tensor:
        """The token that each row goes on with [rows] → next-token logits [rows, vocabulary]."""
        return self.language.logits(self.forward(self.language.embed(ids[:, None]))[:, -1])

    @torch.inference_mode()
    def reorder(self, parents: Sequence[int]) -> None:
        """Row i goes on as what row `parents[i]` was."""
        if list(parents) != list(range(self.rows)):
            self.cache.select(torch.tensor(parents, device=self.language.device))

    def forward(self, hidden: Tensor) -> Tensor:
        start = self.cache.length
        positions = torch.arange(start, start + hidden.shape[1], device=hidden.device)[None]
        final: Tensor = self.language(hidden, positions, self.cache, self.gate)
        return final
