"""Loads the model in a ready folder: picks its architecture, its data type and its quantisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Protocol, TypedDict, Unpack

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from engine.device.devices import abilities, default_device, free_memory, main_memory
from engine.errors import ModelError, WeightsError
from engine.layers.modes import Quantization
from engine.models.base import VisionLanguageModel
from engine.models.card import FALLBACK, Card, ChatTemplate
from engine.models.card_reader import read_card
from engine.models.detail import Detail
from engine.models.llama.llama import ALWAYS
from engine.models.pretrained_card import PLACEHOLDERS, stated_dtype
from engine.weights.adapters import ADAPTER, attach_adapters
from engine.weights.llama_loader import load_language

__all__ = ["load", "load_language", "load_tensors"]

ARCHITECTURES: dict[str, str] = {
    "pocket": "engine.weights.pocket.loader",
    **dict.fromkeys(("minigpt4", "minigpt_v2"), "engine.weights.minigpt4_loader"),
    **dict.fromkeys(PLACEHOLDERS, "engine.weights.pretrained_loader"),
}
SPLITTABLE = ("minigpt4", "minigpt_v2", *PLACEHOLDERS)  # architectures whose `load` takes `others`
Quantize = Quantization | Literal["auto"]


class Options(TypedDict, total=False):
    """`others` are the devices besides the first that the language model's layers are split over; `detail` is of a hub's models alone."""

    others: Sequence[torch.device]
    detail: Detail | None


class Load(Protocol):
    """The `load` function of each architecture's module. Only the module that is needed is imported."""

    def __call__(
        self, folder: Path, card: Card, device: torch.device, dtype: torch.dtype, **options: Unpack[Options]
    ) -> VisionLanguageModel: ...


def load(
    folder: Path,
    device: torch.device | None = None,
    exact: bool = False,
    *,
    others: Sequence[torch.device] = (),
    quantize: Quantize = "auto",
    capability: tuple[int, int] | None = None,
    memory: int | None = None,
    detail: Detail | None = None,
    adapters: Mapping[str, Path] = MappingProxyType({}),
) -> VisionLanguageModel:
    """The model in a ready folder, on `device` (default: the first GPU, else the CPU), split over it and `others` if there are any.

    It computes in what the card and the device make fastest, or as a card of another `capability` would; `exact` asks for
    fp32 throughout, unquantised. `quantize` is a mode, or `auto`: the most exact one that fits, into `memory` bytes of each card
    if that is less than what is free. `detail` bounds the pixels of pictures that keep their shape; by default it is low on a CPU, normal
    on a GPU, and the makers' own with `exact`. `adapters` are folders of LoRA adapters in peft's form, by the names that requests use;
    one in the model's own folder, as `gander train` leaves it there, is always on.
    Raises ModelError for a folder that is not ready, WeightsError for a weight file that can't be used, AdapterError.
    """
    card = read_card(folder)
    device = device or default_device()
    if card.architecture == FALLBACK:
        raise ModelError(f"{card.name} is of type {card.version}, which transformers computes: there is nothing of our own to look at.")
    if others and card.architecture not in SPLITTABLE:
        raise ModelError(f"{card.name} is small and runs on one device. Name only one.")
    mode: Quantization = "none" if exact else choose(folder, card, (device, *others), quantize, memory)
    dtype = torch.float32 if exact else abilities(device, capability).dtype_for(stated_dtype(folder))
    load_architecture: Load = import_module(ARCHITECTURES[card.architecture]).load
    chosen = card.model_copy(update={"quantization": mode})
    options: Options = {"others": others} if others else {}
    if isinstance(card.template, ChatTemplate):
        options["detail"] = detail or (None if exact else "low" if device.type == "cpu" else "normal")
    model = load_architecture(folder, chosen, device, dtype, **options)
    own = folder / ADAPTER
    attach_adapters(model.language_model, {**({ALWAYS: own} if own.is_dir() else {}), **adapters})
    return model


def choose(folder: Path, card: Card, devices: Sequence[torch.device], quantize: Quantize, most: int | None = None) -> Quantization:
    """The quantisation that `quantize` means on these devices. `auto` takes the most exact one that fits into their free memory, at most
    `most` bytes of each; what is stored quantised stays so.

    Raises ModelError where none fits.
    """
    if quantize != "auto":
        return quantize
    memory = [free_memory(device) for device in devices]
    if any(size is None for size in memory):
        return card.quantization if card.architecture not in SPLITTABLE else choose_for_cpu(folder, card)
    from engine.weights.memory_needed import pick, shapes_of

    free = sum(size if most is None else min(size, most) for size in memory if size is not None)
    stored = "none" if card.quantization == "q4_1" else card.quantization  # the kernel is the CPU's
    mode = pick(shapes_of(folder), free, stored)
    if mode is None:
        raise ModelError(
            f"{card.name} does not fit into {free / 1e9:.1f} GB, even in 4 bit. `gander model plan {folder}` shows what it takes."
        )
    return mode


def choose_for_cpu(folder: Path, card: Card) -> Quantization:
    """The form that the card says, else the most exact one that fits into main memory: the system would kill a process that takes more.

    Raises ModelError where none fits.
    """
    from engine.weights.memory_needed import MODES, shapes_of

    free = main_memory()
    if free is None:
        return card.quantization
    shapes = shapes_of(folder)
    forms = (card.quantization, *(mode for mode in MODES if card.quantization == "none" and mode != "none"))
    mode = next((mode for mode in forms if shapes.needed(mode, 1) <= free), None)
    if mode is None:
        raise ModelError(
            f"{card.name} takes {shapes.needed(forms[-1], 1) / 1e9:.1f} GB of memory in {forms[-1]}, and {free / 1e9:.1f} GB are free. "
            "Choose a smaller model (`gander model list --all`), or end other programs."
        )
    return mode


def load_tensors(path: Path, device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """A safetensors file. Raises WeightsError that names it."""
    try:
        return load_file(path, device=str(device))
    except FileNotFoundError:
        raise WeightsError(f"{path} is missing. Fetch or convert the model again.") from None
    except SafetensorError as error:
        raise WeightsError(f"{path} is truncated or damaged ({error}). Fetch or convert the model again.") from None
