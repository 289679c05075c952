"""Loads the language model from its files, one tensor at a time: on a small card there is no room for two copies.

The files may hold plain or quantised matrices, under Hugging Face's names or ours. A tensor that is stored in the wanted
form is copied; any other is converted on the device.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from engine.device.devices import WORKING, free_memory
from engine.device.meta import without_memory
from engine.errors import WeightsError
from engine.layers.int4_cpu import pack
from engine.layers.modes import Quantization
from engine.layers.quantization import HEAD, dequantize, mode_of_codes, quantize
from engine.layers.quantized import use_quantized
from engine.models.card import Card
from engine.models.llama.config import LlamaConfig
from engine.models.llama.layer_split import allocate, plan_shards
from engine.models.llama.llama import FUSED, Llama
from engine.weights.kept_codes import with_kept_codes
from engine.weights.merging import EMBEDDING, language_shapes
from engine.weights.stored_tensors import StoredTensor, open_weights
from engine.weights.weight_files import numbered_files

SCALE = "_scale"
REMEDY = "Fetch or convert the model again."


def load_language(folder: Path, card: Card, device: torch.device, dtype: torch.dtype, others: Sequence[torch.device] = ()) -> Llama:
    """The language model of a ready folder: `config.json` and every `language*.safetensors` in it.

    `card.quantization` is the form of its matrices on the device; the files may hold another. With `others` its
    layers are split over these devices too. Raises WeightsError, and ModelError where the devices are too small.
    """
    config = LlamaConfig.read(folder / "config.json")
    tensors = with_kept_codes(folder, open_shards(folder, "language"), card.quantization)
    return fill_language(config, tensors, card, device, dtype, others)


def fill_language(
    config: LlamaConfig,
    tensors: Mapping[str, StoredTensor],
    card: Card,
    device: torch.device,
    dtype: torch.dtype,
    others: Sequence[torch.device] = (),
) -> Llama:
    """The language model of these tensors, under LLaMA's own names; for the rest see `load_language`."""
    if config.tie_word_embeddings:
        tensors = {name: tensor for name, tensor in tensors.items() if name != HEAD}
    if config.tie_word_embeddings and card.quantization != "none":
        config = dataclasses.replace(config, tie_word_embeddings=False)
        tensors = {HEAD: tensors[EMBEDDING], **tensors}  # the head is quantised, the embedding is not
    language = empty_language(config, card.quantization, (device, *others), dtype)
    places = FusedParameters(config, dict(language.named_parameters()))
    for name in tensors:
        if not name.endswith((SCALE, "rotary_emb.inv_freq")):
            for part, tensor in wanted(name, tensors, places).items():
                places.fill(part, tensor)
    places.check_full()
    if card.quantization == "q4_1":
        pack(language.model)
    return language.eval().requires_grad_(False)


def empty_language(config: LlamaConfig, quantization: Quantization, devices: Sequence[torch.device], dtype: torch.dtype) -> Llama:
    """The model with its memory allocated on `devices` and nothing in it."""
    with without_memory():
        language = Llama(config)
        use_quantized(language, quantization)
    language.to(dtype)
    shard_sizes = language.shard_sizes
    if len(devices) > 1:
        free = (free_memory(device) for device in devices)
        shard_sizes = plan_shards(language, [None if size is None else size - WORKING for size in free])
    allocate(language, devices, shard_sizes)
    language.tie()
    return language


def open_shards(folder: Path, stem: str) -> dict[str, StoredTensor]:
    """All tensors of `stem*.safetensors`. Raises WeightsError where a shard is missing."""
    present = {path.name for path in folder.glob(f"{stem}*.safetensors")}
    expected = numbered_files(present) or ({f"{stem}.safetensors"} if not present else set())
    if expected - present:
        raise WeightsError(f"{folder / min(expected - present)} is missing. {REMEDY}")
    return {name: tensor for file in sorted(present) for name, tensor in open_weights(folder / file).items()}


def wanted(name: str, tensors: Mapping[str, StoredTensor], places: FusedParameters) -> dict[str, Tensor]:
    """The parameter `name` in the form that the model keeps, on its device: the tensor itself, or codes and scales."""
    place = places.target(places.find(name)[0])
    mode, device = mode_of_codes(place.dtype), place.device
    stored = tensors[name].read().to(device)
    if name + SCALE in tensors:
        scale = tensors[name + SCALE].read().to(device)
        if mode == mode_of_codes(stored.dtype):
            return {name: stored, name + SCALE: scale}
        stored = dequantize(stored, scale, torch.float32)
    return {name: stored} if mode == "none" else dict(zip((name, name + SCALE), quantize(stored, mode), strict=True))


class FusedParameters:
    """The model's parameters while they are filled, several tensors of the files into one: q, k and v into `qkv_proj`, for example."""

    def __init__(self, config: LlamaConfig, parameters: Mapping[str, Tensor]) -> None:
        self.parameters = parameters
        self.rows = {name: shape[0] for name, shape in language_shapes(config).items()}
        self.missing = {name: len(parameter) for name, parameter in parameters.items()}  # rows still to come

    def fill(self, name: str, tensor: Tensor) -> None:
        """Copies one tensor of the files to its rows. Raises WeightsError for a tensor that the model has no parameter for."""
        whole, start = self.find(name)
        target = self.target(whole)[start : start + len(tensor)]
        if target.shape != tensor.shape:
            raise WeightsError(f"{name} of shape {list(tensor.shape)} does not fit the model folder's config.json. {REMEDY}")
        with torch.no_grad():
            target.copy_(tensor)
        self.missing[whole] -= len(tensor)

    def target(self, whole: str) -> Tensor:
        """The model's parameter of this name; an empty tensor if it has none."""
        return self.parameters.get(whole, torch.empty(0))

    def find(self, name: str) -> tuple[str, int]:
        """The name of the model's parameter that this tensor is part of, and the row at which it begins there."""
        for whole, parts in FUSED.items():
            for index, part in enumerate(parts):
                if f".{part}." in name:
                    before = (self.rows[name.replace(part, earlier).removesuffix(SCALE)] for earlier in parts[:index])
                    return name.replace(part, whole).replace("qkv_proj.bias", "qkv_bias"), sum(before)
        return name, 0

    def check_full(self) -> None:
        incomplete = sorted(name for name, rows in self.missing.items() if rows)
        if incomplete:
            raise WeightsError(f"The model folder lacks {incomplete[0]}, or a part of it. {REMEDY}")
