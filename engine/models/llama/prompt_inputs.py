"""What the language model reads of a prompt besides which tokens stand in its cache: embeddings, places of M-RoPE, deepstack."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class PromptInputs:
    """A prompt or a stretch of it: `embeddings` [tokens, width]; see `Llama.forward` for the rest.

    `positions` [3, tokens] lie on the host; None = each token's place in the prompt. `deepstack` is [layers, tokens, width], 0 where
    there is no picture; None = nothing to add.
    """

    embeddings: Tensor
    positions: Tensor | None = None
    deepstack: Tensor | None = None

    def __len__(self) -> int:
        return len(self.embeddings)

    def cut(self, start: int, end: int) -> PromptInputs:
        """The tokens from `start` to before `end`."""
        positions = None if self.positions is None else self.positions[:, start:end]
        deepstack = None if self.deepstack is None else self.deepstack[:, start:end]
        return PromptInputs(self.embeddings[start:end], positions, deepstack)

    def placed(self, start: int) -> Tensor:
        """[3, tokens] on the host, where the first token stands at `start` of the prompt."""
        places = torch.arange(start, start + len(self)).expand(3, -1)
        return places if self.positions is None else self.positions


def offset_of(positions: Tensor | None) -> int:
    """By how much a whole prompt's next token has another rotary position than place: a picture takes fewer of those than tokens."""
    return 0 if positions is None else int(positions.max()) + 1 - positions.shape[1]


def grid_positions(start: int, height: int, width: int) -> Tensor:
    """Of a picture's tokens, row by row, [3, height · width]: all at one time, each in its row and its column."""
    rows, columns = torch.arange(height) + start, torch.arange(width) + start
    time = torch.full((height, width), start)
    return torch.stack((time, rows[:, None].expand(-1, width), columns.expand(height, -1))).flatten(1)


def joined_deepstack(parts: list[PromptInputs]) -> Tensor | None:
    """Of several stretches one behind the other, [layers, tokens, width]; None where none has any."""
    layers = max((len(part.deepstack) for part in parts if part.deepstack is not None), default=0)
    if not layers:
        return None
    return torch.cat(
        [part.embeddings.new_zeros(layers, *part.embeddings.shape) if part.deepstack is None else part.deepstack for part in parts], dim=1
    )
