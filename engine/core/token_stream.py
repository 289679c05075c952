"""One row over a KV pool of its own, token by token: for comparisons and measurements, which want no text."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from engine.kernels.decode_step import DecodeStep
from engine.kernels.torch_step import TorchStep
from engine.kv_cache.block_pool import BLOCK
from engine.kv_cache.cache import SCRATCH, KVCache
from engine.models.llama.llama import Llama
from engine.models.llama.prompt_inputs import PromptInputs, offset_of
from engine.runner.model_runner import ModelRunner
from engine.runner.prompt_graphs import PrefillChunk

CHUNK = 512


class TokenStream:
    """One answer: at most `tokens` of prompt and answer together, the prompt read `chunk` tokens at a time."""

    def __init__(self, language: Llama, tokens: int, step: DecodeStep | None = None, chunk: int = CHUNK) -> None:
        blocks = -(-tokens // BLOCK)
        self.runner = ModelRunner(language, KVCache(language, blocks), step or TorchStep(language), 1, tokens)
        self.table = list(range(SCRATCH, SCRATCH + blocks))
        self.length, self.chunk = 0, chunk

    def prefill(self, prompt: PromptInputs, lora: Sequence[float] = ()) -> Tensor:
        """A whole prompt → the first token's logits [vocabulary]. Once, before `decode`; `lora` as in `PrefillChunk`."""
        for start in range(0, len(prompt), self.chunk):
            piece = prompt.cut(start, start + self.chunk)
            logits = self.runner.prefill([PrefillChunk(piece, self.table, self.length, lora)])
            self.length += len(piece)
        self.runner.bind([0], [self.table], self.length, lora, offset_of(prompt.positions))
        return logits[0]

    def decode(self, token: Tensor) -> Tensor:
        """The next token [] → the logits after it [vocabulary]."""
        self.runner.set_last_tokens([0], token)
        logits = self.runner.decode([0], self.length).logits
        self.length += 1
        return logits[0]
