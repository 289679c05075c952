"""A decode step of a small language model on a CPU: one call for all layers of up to 32 rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import rms_norm

from engine.kernels.beams import BeamKernels
from engine.kernels.cpu.attention import HeadNorms, PartialSoftmax, Pool, RowState
from engine.kernels.cpu.layout import Floats, pack_head, pack_projections
from engine.kernels.cpu.shapes import BATCH, SPAN, TILE
from engine.kernels.cpu.stages import STAGES, Activations, Weights, decode, score
from engine.kernels.cpu.thread_pool import ThreadPool, new_counters
from engine.kernels.decode_step import StepRows
from engine.kernels.prompts import PromptStep
from engine.kv_cache.block_pool import BLOCK
from engine.kv_cache.cache import LayerShard
from engine.layers.quantized import QuantizedLinear
from engine.models.llama.llama import Block, Llama, RMSNorm, frequencies


class CpuStep:
    """See `DecodeStep`. Holds a packed copy of the model's weights; one thread at a time may use it."""

    compact = True
    prompts: PromptStep | None = None
    beams: BeamKernels | None = None

    def __init__(self, language: Llama, threads: int) -> None:
        """`language` is one that `engine.kernels.cpu.support.fits`."""
        self.config, self.norm = language.config, language.model.norm.weight.float()
        self.frequencies, self.adapters = frequencies(language.config), len(language.adapters)
        self.weights, self.head = gather(language), pack_head(cast("QuantizedLinear", language.lm_head))
        self.thread_pool = ThreadPool(threads)
        self.layer_counters, self.head_counters = new_counters(STAGES * self.config.num_hidden_layers), new_counters(1)

    @torch.inference_mode()
    def layers(self, hidden: Tensor, shard: LayerShard, rows: StepRows) -> Tensor:
        """See `DecodeStep`. Computes in fp32 and returns it; the cache stays bf16."""
        pool = Pool(bits(shard.keys), bits(shard.values))
        lora_scales = torch.zeros(len(hidden), self.adapters) if rows.lora_scale is None else rows.lora_scale.float()
        angles = rows.positions[:, None] * self.frequencies
        rotations = torch.stack((angles.cos(), angles.sin()), dim=1) * self.config.rope_magnitude
        out = torch.empty(hidden.shape)
        for few in batches(len(hidden)):
            states = RowState(*(part[few].contiguous().numpy() for part in (rows.tables, rows.lengths, lora_scales, rotations)))
            state = self.activations(hidden[few].float(), int(rows.lengths[few].max()))
            self.layer_counters[:] = 0
            self.thread_pool.run(decode, self.weights, pool, states, state, self.layer_counters)
            out[few] = torch.from_numpy(state.hidden)
        return out

    @torch.inference_mode()
    def logits(self, hidden: Tensor) -> Tensor:
        """See `DecodeStep`."""
        final = rms_norm(hidden.float(), self.norm.shape, self.norm, self.config.rms_norm_eps)
        logits = torch.empty(len(hidden), len(self.head.groups) * TILE)
        for few in batches(len(hidden)):
            self.head_counters[:] = 0
            self.thread_pool.run(score, self.head, final[few].numpy(), logits[few].numpy(), self.head_counters)
        return logits[:, : self.config.vocab_size]

    def activations(self, hidden: Tensor, longest: int) -> Activations:
        config, rows = self.config, len(hidden)
        heads, size = config.num_attention_heads, config.head_dim
        pieces = (rows, longest // SPAN + 1, heads)
        return Activations(
            hidden.clone().numpy(),
            np.empty((rows, (heads + 2 * config.num_key_value_heads) * size), np.float32),
            np.empty((rows, config.intermediate_size), np.float32),
            PartialSoftmax(np.empty((*pieces, size), np.float32), np.empty(pieces, np.float32), np.empty(pieces, np.float32)),
            self.thread_pool.helpers + 1,
        )

    def warm_up(self) -> None:
        """Compiles every kernel, or fetches it from disk, by one step over made-up input."""
        config = self.config
        shape = (config.num_hidden_layers, 1, BLOCK, config.num_key_value_heads, config.head_dim)
        shard = LayerShard(0, config.num_hidden_layers, *(torch.zeros(shape, dtype=torch.bfloat16) for _ in range(2)))
        first = torch.zeros(1, dtype=torch.int32)
        self.logits(self.layers(torch.ones(1, config.hidden_size), shard, StepRows(first[None], first, first)))


def bits(pool: Tensor) -> npt.NDArray[np.uint16]:
    """A bf16 tensor's bits, because numpy has no bf16."""
    return pool.view(torch.int16).numpy().view(np.uint16)


def batches(rows: int) -> Iterator[slice]:
    for first in range(0, rows, BATCH):
        yield slice(first, first + BATCH)


@torch.no_grad()
def gather(language: Llama) -> Weights:
    """The weights of all layers, packed."""
    blocks = cast("list[Block]", list(language.model.layers))
    attentions, mlps, config = [block.self_attn for block in blocks], [block.mlp for block in blocks], language.config
    return Weights(
        qkv=pack_projections([attention.qkv_proj for attention in attentions]),
        o=pack_projections([attention.o_proj for attention in attentions]),
        gate_up=pack_projections([mlp.gate_up_proj for mlp in mlps]),
        down=pack_projections([mlp.down_proj for mlp in mlps]),
        attention_norm=stacked([block.input_layernorm.weight for block in blocks]),
        mlp_norm=stacked([block.post_attention_layernorm.weight for block in blocks]),
        qkv_bias=stacked([attention.qkv_bias for attention in attentions]),
        head_norms=HeadNorms(gains([each.q_norm for each in attentions]), gains([each.k_norm for each in attentions]), config.rms_norm_eps),
        eps=config.rms_norm_eps,
    )


def gains(norms: Sequence[RMSNorm | None]) -> Floats:
    return stacked([None if norm is None else norm.weight for norm in norms])


def stacked(tensors: Sequence[Tensor | None]) -> Floats:
    """[layers, width]; [layers, 0] where the model has no such weights."""
    found = [tensor for tensor in tensors if tensor is not None]
    return torch.stack(found).float().numpy() if found else np.empty((len(tensors), 0), np.float32)
