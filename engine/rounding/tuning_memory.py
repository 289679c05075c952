"""How much memory tuning takes, from a model's shapes alone: it is said before hours are spent.

Rounding has one layer on the device at a time. Tuning has the whole model there in 4 bits, and what its gradients need.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from engine.layers.quantization import GROUP, mode_of
from engine.models.llama.config import LlamaConfig
from engine.weights.merging import EMBEDDING, language_shapes

FP32, FP16 = 4, 2  # bytes
SCALES = 6  # fp32 for each: its first value, its change, that one's gradient, Adam's two moments, and what the forward pass multiplied by
LOGITS = 9  # fp32 for each token and word: both models' logits as they are, in fp32 and as logarithms, and what goes back through them
MATRICES = 3  # of the largest size, in the backward pass: restored, its steps, its gradient
ROWS_KEPT = 4  # of all rows' hidden states: embedded, the whole model's before and after a layer, and what it taught


@dataclass(frozen=True)
class TuningMemory:
    """Bytes: `device` where the model is tuned, `host` in main memory, beside what Python and torch take. On a CPU both are main memory."""

    device: int
    host: int


def tuning_memory(config: LlamaConfig, dtype: torch.dtype, *, rows: int, length: int) -> TuningMemory:
    """Of a model tuned in `dtype` by so many rows of `length` tokens, one at a time."""
    shapes, size = language_shapes(config), dtype.itemsize
    matrices = [shape for name, shape in shapes.items() if mode_of(name, shape[-1], "4bit") == "4bit"]
    rounded = sum(map(math.prod, matrices))
    whole = sum(map(math.prod, shapes.values())) - rounded - (0 if config.tie_word_embeddings else math.prod(shapes[EMBEDDING]))
    largest = 2 * config.intermediate_size * config.hidden_size  # gate and up are one
    device = (
        rounded // 2
        + rounded // GROUP * SCALES * FP32
        + whole * size
        + length * config.num_hidden_layers * kept_for_backward(config) * size
        + LOGITS * length * config.vocab_size * FP32
        + MATRICES * largest * size
    )
    hidden = rows * length * config.hidden_size * size
    return TuningMemory(device, math.prod(shapes[EMBEDDING]) * size + ROWS_KEPT * hidden + rounded // GROUP * FP16)


def kept_for_backward(config: LlamaConfig) -> int:
    """Numbers that a layer keeps of each token until its gradients are there."""
    query, key = (heads * config.head_dim for heads in (config.num_attention_heads, config.num_key_value_heads))
    rotated, projected = query + key, query + 2 * key
    mixed = query  # what the output's projection reads
    hidden = 6 * config.hidden_size  # both norms' inputs, what they give, and what is added to the shortcut
    return hidden + rotated + projected + mixed + 4 * config.intermediate_size
