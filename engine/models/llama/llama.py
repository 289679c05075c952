"""The language model of every architecture here: LLaMA (Touvron et al. 2023) in plain PyTorch, readable next to the paper.

Differences from the paper that its successors brought: grouped key and value heads (Ainslie et al. 2023) and, in small
models, output embeddings tied to the input's. Projections that read the same input are fused (`qkv_proj`,
`gate_up_proj`), so that a decode step is few, large products; `load_weights` takes Hugging Face's names and fuses them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, rms_norm, scaled_dot_product_attention, silu

from engine.errors import WeightsError
from engine.layers.linear import Linear, Lora
from engine.models.llama.config import LlamaConfig, YarnScaling

PROJECTION = re.compile(r"(.*)\.(\w+_proj)\.(weight|weight_scale|bias)")
FUSED = {"qkv_proj": ("q_proj", "k_proj", "v_proj"), "gate_up_proj": ("gate_proj", "up_proj")}

OWN, ALWAYS = "", "*"  # names of LoRA adapters that are part of a model: on in prompts with pictures, and in all


class Cache(Protocol):
    """Holds the keys and values of earlier tokens. It also computes attention, because only it knows how they are stored."""

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Stores `key` and `value` [rows, kv_heads, new, head_dim], then attends causally: `query` → [rows, heads, new, head_dim]."""
        ...


class RMSNorm(nn.Module):
    """x / rms(x) · weight (Zhang and Sennrich 2019)."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.weight.shape, self.weight, self.eps)


class Attention(nn.Module):
    """Grouped-query attention: `heads / kv_heads` queries share a key and a value. `Block` calls `mix`, then `o_proj`."""

    def __init__(self, config: LlamaConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.heads, self.kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.qkv_proj = Linear(config.hidden_size, (self.heads + 2 * self.kv_heads) * config.head_dim)
        self.o_proj = Linear(self.heads * config.head_dim, config.hidden_size)
        self.qkv_bias = nn.Parameter(torch.zeros(self.qkv_proj.width_out)) if config.qkv_bias else None
        self.q_norm = RMSNorm(config.head_dim, config.rms_norm_eps) if config.qk_norm else None
        self.k_norm = RMSNorm(config.head_dim, config.rms_norm_eps) if config.qk_norm else None

    def mix(self, x: Tensor, rotation: tuple[Tensor, Tensor], cache: Cache | None, lora_scale: Tensor | None) -> Tensor:
        """What each token gathers from those before it, [rows, new, heads · head_dim]."""
        rows, new, _ = x.shape
        qk, v = (heads.transpose(1, 2) for heads in self.by_heads(self.qkv_proj(x, lora_scale)))  # [rows, heads, new, head_dim]
        q, k = rotate(qk, *rotation).split((self.heads, self.kv_heads), dim=1)
        if cache is None:
            mixed = scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        else:
            mixed = cache.attend(self.layer, q, k, v)
        return mixed.transpose(1, 2).reshape(rows, new, -1)

    def by_heads(self, qkv: Tensor) -> tuple[Tensor, Tensor]:
        """What `qkv_proj` gave [..., features] → queries and keys, biased and normed where the model has that, and values, [..., heads,
        head_dim] each."""
        if self.qkv_bias is not None:
            qkv = qkv + self.qkv_bias
        qk, v = qkv.unflatten(-1, (self.heads + 2 * self.kv_heads, -1)).split((self.heads + self.kv_heads, self.kv_heads), dim=-2)
        if self.q_norm is not None and self.k_norm is not None:
            q, k = qk.split((self.heads, self.kv_heads), dim=-2)
            qk = torch.cat((self.q_norm(q), self.k_norm(k)), dim=-2)
        return qk, v


class MLP(nn.Module):
    """SwiGLU (Shazeer 2020)."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.gate_up_proj = Linear(config.hidden_size, 2 * config.intermediate_size)
        self.down_proj = Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: Tensor, lora_scale: Tensor | None) -> Tensor:
        opening, value = self.gate_up_proj(x, lora_scale).chunk(2, dim=-1)  # [rows, new, intermediate] each
        out: Tensor = self.down_proj(silu(opening) * value, lora_scale)
        return out


class Block(nn.Module):
    """Attention, then MLP, each behind a norm and beside a shortcut."""

    def __init__(self, config: LlamaConfig, layer: int) -> None:
        super().__init__()
        self.self_attn = Attention(config, layer)
        self.mlp = MLP(config)
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(
        self, x: Tensor, rotation: tuple[Tensor, Tensor], cache: Cache | None, lora_scale: Tensor | None, wanted: Tensor | None = None
    ) -> Tensor:
        """[rows, new, width] → the same; of `wanted` tokens alone, as in `Llama.run`, [1, wanted, width]."""
        mixed = self.self_attn.mix(self.input_layernorm(x), rotation, cache, lora_scale)
        if wanted is not None:
            x, mixed = chosen(x, wanted), chosen(mixed, wanted)
        x = x + self.self_attn.o_proj(mixed, lora_scale)
        out: Tensor = x + self.mlp(self.post_attention_layernorm(x), lora_scale)
        return out


class Stack(nn.Module):
    """Everything but the head; `Llama` calls it `model`, as Hugging Face does."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Block(config, layer) for layer in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)


class Llama(nn.Module):
    """A causal language model over embeddings, because pictures are embeddings: `forward(embed(ids), positions)`."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Stack(config)
        self.lm_head = Linear(config.hidden_size, config.vocab_size)
        self.shard_sizes: tuple[int, ...] = (config.num_hidden_layers,)  # how many layers each device has: see `layer_split`
        self.adapters: tuple[str, ...] = ()  # its LoRA adapters' names, in the order of `lora_scale`
        self.tie()

    @property
    def device(self) -> torch.device:
        """The device of token ids and embeddings; layers may be on others, and logits come out on the last layer's."""
        return self.model.embed_tokens.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """Of embeddings and hidden states."""
        return self.model.embed_tokens.weight.dtype

    def embed(self, ids: Tensor) -> Tensor:
        """Token ids [rows, new] → embeddings [rows, new, width]."""
        return embedding(ids, self.model.embed_tokens.weight)

    def forward(
        self,
        hidden: Tensor,
        positions: Tensor,
        cache: Cache | None = None,
        lora_scale: Tensor | None = None,
        deepstack: Tensor | None = None,
    ) -> Tensor:
        """Embeddings [rows, new, width] at `positions` [rows or 1, new] → final hidden states [rows, new, width].

        Attention is causal; rows of unequal length are padded on the right. `lora_scale` [rows or 1, new or 1, adapters] scales the
        LoRA adapters of each token: 1 = on, 0 = off; None leaves them out altogether. With M-RoPE positions may be [3, rows or 1,
        new]: in time, height and width. `deepstack` [layers, rows, new, width] is added behind the first layers, one each.
        """
        out: Tensor = self.model.norm(self.run(range(self.config.num_hidden_layers), hidden, positions, cache, lora_scale, deepstack))
        return out

    def run(
        self,
        layers: range,
        hidden: Tensor,
        positions: Tensor,
        cache: Cache | None,
        lora_scale: Tensor | None,
        deepstack: Tensor | None = None,
        wanted: Tensor | None = None,
    ) -> Tensor:
        """Runs some of the layers, without the final norm; parameters as in `forward`.

        `wanted` [n] are places in the rows laid one behind the other, [rows · new]: only these come out, as [1, n, width], so that the last
        of the layers computes no more of the others than their keys and values. `lora_scale` is then the same for all tokens.
        """
        rotation = rotary(positions, self.config, hidden.dtype)
        for index, block in zip(layers, cast("Iterable[Block]", self.model.layers[layers.start : layers.stop]), strict=True):
            there = block.input_layernorm.weight.device
            if there != hidden.device:  # a device's layers end
                hidden, lora_scale = hidden.to(there), None if lora_scale is None else lora_scale.to(there)
                rotation = rotation[0].to(there), rotation[1].to(there)
            last = wanted.to(there) if wanted is not None and index == layers[-1] else None
            hidden = block(hidden, rotation, cache, lora_scale, last)
            if deepstack is not None and index < len(deepstack):
                added = deepstack[index].to(hidden)
                hidden = hidden + (added if last is None else chosen(added, last))
        return hidden

    def logits(self, hidden: Tensor) -> Tensor:
        """Final hidden states [..., width] → next-token logits [..., vocabulary] in fp32. Give it only the tokens that need them."""
        scores: Tensor = self.lm_head(hidden)
        return scores.float()

    def tie(self) -> None:
        """One table of embeddings for input and output, where the config says so."""
        if self.config.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight

    def add_lora(self, rank: int, alpha: float | None = None) -> list[Lora]:
        """Gives every projection of every block a new adapter (Hu et al. 2021), which at first adds nothing; returns them.

        It is the model's own: on in prompts with pictures, off without.
        """
        self.adapters = (OWN,)
        return [module.add_lora(rank, alpha) for module in self.model.modules() if isinstance(module, Linear)]

    def lora_scales(self, adapter: str, pictures: bool) -> tuple[float, ...]:
        """Of a prompt with pictures or without, for which `adapter` is chosen; "" = none."""
        on = {OWN: pictures, ALWAYS: True}
        return tuple(float(on.get(name, name == adapter)) for name in self.adapters)

    def load_weights(self, tensors: Mapping[str, Tensor]) -> None:
        """Takes a state dict with Hugging Face's names, or our fused ones. Raises WeightsError that names what does not fit."""
        state = fuse({name: tensor for name, tensor in tensors.items() if not name.endswith("rotary_emb.inv_freq")})
        if self.config.tie_word_embeddings:
            state["lm_head.weight"] = state.get("model.embed_tokens.weight", self.lm_head.weight)
        try:
            self.load_state_dict(state, assign=True)
        except RuntimeError as error:
            raise WeightsError(f"The language model's weights do not fit its config.json: {error}") from None
        self.tie()


def chosen(tokens: Tensor, wanted: Tensor) -> Tensor:
    """[rows, new, width] → [1, wanted, width]; `wanted` as in `Llama.run`."""
    return tokens.flatten(0, 1).index_select(0, wanted)[None]


def rotary(positions: Tensor, config: LlamaConfig, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the rotary position embedding (Su et al. 2021), [rows, 1, new, head_dim] each.

    `positions` are [rows, new], or [3, rows, new] where time, height and width differ: see `Mrope`.
    """
    own = positions[..., None] if positions.ndim == 2 else by_axis(positions, config)
    angles = own[:, None] * frequencies(config, positions.device)
    angles = torch.cat((angles, angles), dim=-1)
    return (angles.cos() * config.rope_magnitude).to(dtype), (angles.sin() * config.rope_magnitude).to(dtype)


def by_axis(positions: Tensor, config: LlamaConfig) -> Tensor:
    """[3, rows, new] → the position by which each pair of features turns, [rows, new, head_dim / 2]."""
    axes = [0] * (config.head_dim // 2) if config.mrope is None else config.mrope.axes
    return torch.stack([positions[axis] for axis in axes], dim=-1)


def frequencies(config: LlamaConfig, device: torch.device | None = None) -> Tensor:
    """Radians a token by which each pair of features turns, [head_dim / 2], fp32; stretched where the config says so."""
    halves = torch.arange(0, config.head_dim, 2, device=device, dtype=torch.float)
    found = 1.0 / config.rope_theta ** (halves / config.head_dim)
    if (scaling := config.rope_scaling) is None:
        return found
    if isinstance(scaling, YarnScaling):
        first, last = scaling.slowed(config.rope_theta, config.head_dim)
        slowed = ((torch.arange(len(found), device=device) - first) / (last - first or 1e-3)).clamp(0, 1)
        return found * (1 - slowed) + found / scaling.factor * slowed
    waves = scaling.original_max_position_embeddings * found / (2 * math.pi)  # turns within the context that was trained on
    kept = ((waves - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor)).clamp(0, 1)
    return found * (kept + (1 - kept) / scaling.factor)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turns each pair (x_i, x_{i + head_dim/2}) by its angle: Hugging Face's layout, not the paper's adjacent pairs."""
    left, right = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-right, left), dim=-1) * sin


def fuse(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Stacks `q_proj`, `k_proj`, `v_proj` into `qkv_proj` and `gate_proj`, `up_proj` into `gate_up_proj`, scales of quantised ones too."""
    fused: dict[str, Tensor] = {}
    for name, tensor in state.items():
        match = PROJECTION.fullmatch(name)
        stem, part, kind = match.groups() if match else ("", "", "")
        whole = next((whole for whole, parts in FUSED.items() if part in parts), None)
        if whole is None:
            fused[name] = tensor
        elif part == FUSED[whole][0]:
            try:
                name = f"{stem}.{whole}.{kind}".replace("qkv_proj.bias", "qkv_bias")
                fused[name] = torch.cat([state[f"{stem}.{other}.{kind}"] for other in FUSED[whole]])
            except KeyError as error:
                raise WeightsError(f"The language model's weights lack {error}. Fetch or convert the model again.") from None
    return fused
