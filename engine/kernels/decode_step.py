"""The interface that every implementation of a decode step has: plain torch, the CPU's kernels and the GPU's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from torch import Tensor

from engine.kv_cache.cache import LayerShard

Say = Callable[[str], None]  # takes lines that tell a person what is being prepared, or why something is slower


class DecodeStep(Protocol):
    """Takes each row (one answer or beam that is being written) one token further through a model's layers."""

    @property
    def compact(self) -> bool:
        """Whether attention reads no more blocks than a row has. Only then is the step worth capturing as a CUDA graph: another
        one would read as much for short rows as for full ones."""
        ...

    def layers(self, hidden: Tensor, shard: LayerShard, tables: Tensor, lengths: Tensor, lora_scale: Tensor | None) -> Tensor:
        """Runs the layers of `shard`: hidden states [rows, width] → [rows, width], without the final norm.

        Each layer writes a row's new key and value at position `lengths[row]` of the row's blocks `tables[row]` and attends to
        all positions up to it. `lengths` [rows] counts tokens, `tables` [rows, most blocks] holds block numbers; `lora_scale` [rows]
        scales LoRA as in `Llama.forward`, None where the model has none.
        """
        ...

    def logits(self, hidden: Tensor) -> Tensor:
        """The last layer's output [rows, width] → next-token logits [rows, vocabulary] in fp32; applies the final norm."""
        ...
