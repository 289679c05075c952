"""How much device memory a model takes, from its shapes alone, and which quantisation a card has room for.

Gigabytes are decimal. The figures agree with measurements on a GPU (docs/speed.md). What the card itself reports is higher by
the CUDA context, about half a gigabyte that belongs to no tensor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from engine.device.devices import WORKING
from engine.device.meta import without_memory
from engine.layers.modes import Quantization
from engine.layers.quantization import mode_of, quantized_slots
from engine.models.card import CARD_NAME
from engine.models.llama.config import LlamaConfig
from engine.models.minigpt4.config import VISION_SHARDS, Architecture
from engine.weights.llama_loader import open_shards
from engine.weights.merging import language_shapes
from engine.weights.stored_tensors import open_folder

MODES: tuple[Quantization, ...] = ("none", "int8", "4bit")
HALF = 2  # bytes of an fp16 number
TOKENS = 2000  # of one conversation
CONTEXT = 600_000_000  # bytes of CUDA's context
PREFERRED = (4, 1)  # conversations that a quantisation should have room for: a group's, else one
RELEASE = {
    "7b": LlamaConfig(32001, 4096, 11008, 32, 32, 32, 128),
    "13b": LlamaConfig(32001, 5120, 13824, 40, 40, 40, 128),
}

SUCCESSORS = dict.fromkeys(("llama2-7b", "v2-7b"), LlamaConfig(32000, 4096, 11008, 32, 32, 32, 128, 4096))


@dataclass(frozen=True)
class Shapes:
    """The sizes of a model that its memory depends on."""

    language: LlamaConfig
    vision_parameters: int

    @property
    def cache_bytes(self) -> int:
        """Keys and values of one token."""
        config = self.language
        return 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim * HALF

    def language_bytes(self, mode: Quantization) -> int:
        return sum(parameter_bytes(name, shape, mode) for name, shape in language_shapes(self.language).items())

    def needed(self, mode: Quantization, conversations: int, tokens: int = TOKENS) -> int:
        """Bytes of device memory for so many conversations of `tokens` each at once, CUDA's context not counted."""
        return self.language_bytes(mode) + self.vision_parameters * HALF + conversations * tokens * self.cache_bytes + WORKING

    def conversations(self, mode: Quantization, free: int, tokens: int = TOKENS) -> int:
        """How many conversations fit into `free` bytes; below 0 if not even the weights do."""
        return (free - self.needed(mode, 0)) // (tokens * self.cache_bytes)


def parameter_bytes(name: str, shape: tuple[int, ...], mode: Quantization) -> int:
    kept = mode_of(name, shape[-1], mode)
    return math.prod(shape) * HALF if kept == "none" else sum(slot.nbytes for slot in quantized_slots(name, shape, kept).values())


def shapes_of(folder: Path) -> Shapes:
    """The sizes of the model in a ready folder. Raises ModelError or WeightsError."""
    if not (folder / CARD_NAME).is_file():
        return pretrained_shapes(folder)
    vision_encoder = sum(math.prod(tensor.shape) for tensor in open_shards(folder, VISION_SHARDS).values())
    return Shapes(LlamaConfig.read(folder / "config.json"), vision_encoder)


def pretrained_shapes(folder: Path) -> Shapes:
    """Of a hub's repository, as it lies there."""
    from transformers import AutoConfig  # takes three seconds, which only its models' folders need

    from engine.weights.pretrained_loader import language_config, language_name, language_tensors

    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    vision_encoder = sum(math.prod(tensor.shape) for tensor in open_folder(folder, lambda name: language_name(name) is None).values())
    return Shapes(language_config(config, language_tensors(folder)), vision_encoder)


def release_shapes(size: str) -> Shapes:
    """The sizes of the release's `7b` or `13b`, or of a successor (`llama2-7b`, `v2-7b`), which need no folder."""
    from engine.weights.minigpt4_loader import picture_encoder  # likewise

    config = (RELEASE | SUCCESSORS)[size]
    sizes = Architecture() if size in RELEASE else Architecture(qformer=None)
    with without_memory():
        vision_encoder = picture_encoder(sizes, config.hidden_size)
    return Shapes(config, sum(parameter.numel() for parameter in vision_encoder.parameters()))


def pick(shapes: Shapes, free: int, stored: Quantization = "none") -> Quantization | None:
    """The most exact quantisation with room in `free` bytes for four conversations, else for one; None if no mode fits.

    Weights that are `stored` quantised are not restored, which would take memory and win back nothing.
    """
    for conversations in PREFERRED:
        for mode in MODES[MODES.index(stored) :]:
            if shapes.conversations(mode, free) >= conversations:
                return mode
    return None
