"""Rounds a language model's projections to 4 bits layer after layer, each for the inputs that layers rounded before it give it.

One layer is on the device at a time, so that a model of any size is rounded on a card that holds it in 4 bits only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.device.meta import without_memory
from engine.layers.error_feedback import round_with_feedback
from engine.layers.linear import Linear
from engine.layers.quantization import dequantize, mode_of
from engine.models.llama.config import LlamaConfig
from engine.models.llama.llama import FUSED, Block, fuse, rotary
from engine.weights.merging import EMBEDDING, language_shapes
from engine.weights.stored_tensors import StoredTensor

TEXT = Path(__file__).with_name("calibration.txt")  # our own words: talk about pictures, prose, manuals, code, Chinese
LENGTH = 512  # tokens of one row
ROWS = 16
# What a matrix adds to the residual stream counts as a share of that: the next norm divides by its size. Else the few tokens that language
# models keep huge activations for (a text's first) would outweigh all others.
CLOSING = {"self_attn.o_proj": "input_layernorm", "mlp.down_proj": "post_attention_layernorm"}
SLICE = 1024  # tokens whose moments are added up at a time, in fp32

Codes = tuple[Tensor, Tensor]


def calibration_ids(encoded: Sequence[int], bos: int | None, *, length: int = LENGTH, rows: int = ROWS) -> Tensor:
    """The text's tokens → at most [rows, length], each row beginning as the model's texts do."""
    length -= bos is not None
    kept = torch.tensor(encoded[: rows * length])
    read = kept[: max(1, len(kept) // length) * length].view(-1, min(length, len(kept)))
    return read if bos is None else torch.cat((torch.full((len(read), 1), bos), read), dim=1)


class LayerRounding:
    """Codes and scales by Hugging Face's names, to be asked for in the order of `language_shapes`; `ids` [rows, new] is what is read."""

    def __init__(
        self, config: LlamaConfig, tensors: Mapping[str, StoredTensor], ids: Tensor, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.config, self.tensors, self.ids, self.device, self.dtype = config, tensors, ids, device, dtype
        self.ready: dict[str, Codes] = {}

    @property
    def names(self) -> list[str]:
        """The matrices that are rounded; others stay as they are, or go to 8 bits when they are loaded."""
        return [name for name, shape in language_shapes(self.config).items() if mode_of(name, shape[-1], "4bit") == "4bit"]

    def take(self, name: str) -> Codes:
        """A matrix's codes and scales, once; the layers before it are rounded first."""
        while name not in self.ready:
            self.ready = next(self.layers)
        return self.ready.pop(name)

    @cached_property
    def layers(self) -> Iterator[dict[str, Codes]]:
        return self.run()

    @torch.inference_mode()
    def run(self) -> Iterator[dict[str, Codes]]:
        hidden = self.tensors[EMBEDDING].read()[self.ids].to(self.device, self.dtype)
        rotation = rotary(torch.arange(self.ids.shape[1], device=self.device)[None], self.config, self.dtype)
        for layer in range(self.config.num_hidden_layers):
            prefix = f"model.layers.{layer}."
            block, found = load_block(self.config, self.tensors, layer, self.device, self.dtype), dict[str, Codes]()
            hidden = round_block(block, hidden, rotation, found)
            del block
            yield dict(self.parts(prefix, found))

    def parts(self, prefix: str, found: Mapping[str, Codes]) -> Iterator[tuple[str, Codes]]:
        """Cuts the codes of fused matrices into those of the files."""
        shapes = language_shapes(self.config)
        for whole, (codes, scales) in found.items():
            names = stored_names(f"{prefix}{whole}")
            rows = [shapes[name][0] for name in names]
            yield from zip(names, zip(codes.cpu().split(rows), scales.cpu().split(rows), strict=True), strict=True)


def stored_names(projection: str) -> list[str]:
    """The names in files of the matrices that one of our projections is fused of."""
    room, _, last = projection.rpartition(".")
    return [f"{room}.{part}.weight" for part in FUSED.get(last, (last,))]


def load_block(config: LlamaConfig, tensors: Mapping[str, StoredTensor], layer: int, device: torch.device, dtype: torch.dtype) -> Block:
    """One layer of the whole model, on the device."""
    prefix = f"model.layers.{layer}."
    with without_memory():
        block = Block(config, layer)
    state = {name: stored.read().to(device, dtype) for name, stored in tensors.items() if name.startswith(prefix)}
    fused = fuse({name: tensor for name, tensor in state.items() if not name.endswith("rotary_emb.inv_freq")})
    block.load_state_dict({name.removeprefix(prefix): tensor for name, tensor in fused.items()}, assign=True)
    return block.requires_grad_(False)


def round_block(block: Block, hidden: Tensor, rotation: tuple[Tensor, Tensor], found: dict[str, Codes]) -> Tensor:
    """Runs a layer over [rows, new, width]; each matrix is rounded, and noted in `found`, before it is used."""
    residual: dict[str, Tensor] = {}

    def replace(name: str, linear: Linear, x: Tensor) -> None:
        if mode_of(f"{name}.weight", linear.width_in, "4bit") == "4bit":
            sizes = None if name not in CLOSING else mean_squares(residual[CLOSING[name]] + linear.product(x))
            found[name] = round_with_feedback(linear.weight, second_moments(x.flatten(0, -2), sizes))
            linear.weight = nn.Parameter(dequantize(*found[name], linear.weight.dtype), requires_grad=False)

    for name, module in block.named_modules():
        if isinstance(module, Linear):
            hook = partial(replace, name)
            module.register_forward_pre_hook(lambda linear, given, hook=hook: hook(linear, given[0]))
        elif name in CLOSING.values():
            module.register_forward_pre_hook(lambda _, given, name=name: residual.update({name: given[0]}))
    out: Tensor = block(hidden, rotation, None, None)
    return out


def mean_squares(x: Tensor) -> Tensor:
    """Of each token of [rows, new, width] → [tokens, 1] in fp32."""
    return x.flatten(0, -2).float().square().mean(dim=-1, keepdim=True)


def second_moments(x: Tensor, sizes: Tensor | None = None) -> Tensor:
    """[tokens, width] → their mean of x xᵀ, [width, width] in fp32; with `sizes` [tokens, 1] each token counts by one over its own."""
    shares = torch.ones(len(x), 1, device=x.device) if sizes is None else 1 / sizes.clamp(min=torch.finfo(torch.float32).tiny)
    shares = shares / shares.sum()
    total = torch.zeros(x.shape[1], x.shape[1], device=x.device)
    for part, share in zip(x.split(SLICE), shares.split(SLICE), strict=True):
        total.addmm_((part.float() * share).T, part.float())
    return total
