"""The interface that every implementation of a decode step has: plain torch, the CPU's kernels and the GPU's."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from engine.kernels.beams import BeamKernels
from engine.kernels.prompts import PromptStep
from engine.kv_cache.cache import LayerShard

Say = Callable[[str], None]  # takes lines that tell a person what is being prepared, or why something is slower


class StepRows(NamedTuple):
    """What a step knows of its rows: `tables` [rows, most blocks] holds block numbers, `lengths` [rows] counts cached tokens. The new
    token stands at place `lengths[row]` and is rotated by `positions` [rows], which M-RoPE makes another number. `lora_scale` [rows,
    adapters] scales LoRA as in `Llama.forward`, None where the model has none."""

    tables: Tensor
    lengths: Tensor
    positions: Tensor
    lora_scale: Tensor | None = None

    def to(self, device: torch.device) -> StepRows:
        return StepRows(*(None if part is None else part.to(device) for part in self))  # type: ignore[arg-type]  # only the last is None

    def copy_(self, others: StepRows) -> None:
        """Takes the values of `others`, which has the same shapes."""
        for target, source in zip(self, others, strict=True):
            if target is not None and source is not None:
                target.copy_(source, non_blocking=True)

    def split(self, size: int) -> list[StepRows]:
        """At most `size` rows each."""
        starts = range(0, len(self.lengths), size)
        return [StepRows(*(None if part is None else part[at : at + size] for part in self)) for at in starts]  # type: ignore[arg-type]


class DecodeStep(Protocol):
    """Takes each row (one answer or beam that is being written) one token further through a model's layers."""

    @property
    def compact(self) -> bool:
        """Whether attention reads no more blocks than a row has. A CUDA graph of another step reads as many for a short row as for a long
        one, so it is captured for short ones besides."""
        ...

    @property
    def prompts(self) -> PromptStep | None:
        """Reads prompts with the same weights; None where the model's own modules do."""
        ...

    @property
    def beams(self) -> BeamKernels | None:
        """Kernels for beam searches, if all layers are on one device; None where torch does it."""
        ...

    def layers(self, hidden: Tensor, shard: LayerShard, rows: StepRows) -> Tensor:
        """Runs the layers of `shard`: hidden states [rows, width] → [rows, width], without the final norm.

        Each layer writes a row's new key and value at its place in the row's blocks and attends to all places up to it.
        """
        ...

    def logits(self, hidden: Tensor) -> Tensor:
        """The last layer's output [rows, width] → next-token logits [rows, vocabulary] in fp32; applies the final norm."""
        ...
