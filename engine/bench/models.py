"""The models to measure: a ready folder, or a real shape with random weights, which is as fast and needs no download."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch

from engine.bench.device_memory import random_language, random_vision_encoder
from engine.bench.picture_shapes import SHAPES
from engine.bench.random_picture_model import random_picture_model
from engine.bench.word_tokenizer import WordTokenizer
from engine.device.devices import abilities
from engine.layers.modes import Quantization
from engine.models.base import VisionLanguageModel
from engine.models.card import Card
from engine.models.llama.config import LlamaConfig
from engine.models.minigpt4.config import Architecture
from engine.models.minigpt4.minigpt4 import MiniGPT4
from engine.paths import model_folder
from engine.weights.loader import load
from engine.weights.memory_needed import RELEASE
from engine.weights.minigpt4_release import read_release, read_template

RELEASED = {f"random-{size}": config for size, config in RELEASE.items()}
RANDOM = (*RELEASED, *SHAPES)
Open = Callable[[Quantization], VisionLanguageModel]


def opener(name: str, device: torch.device, capability: tuple[int, int] | None) -> Open:
    """A function that puts the model `name` on the device in a mode; "none" is fp32 on a CPU, where that is the exact way.

    `capability` as in `loader.load`. Raises ModelError for a folder that is not ready.
    """
    exact = device.type == "cpu"
    able = abilities(device, capability)
    if name in RELEASED:
        dtype = torch.float32 if exact else able.dtype
        return functools.partial(random_model, name, RELEASED[name], Architecture(), device, dtype)
    if name in SHAPES:
        shape = SHAPES[name]()
        return functools.partial(random_picture_model, name, shape, device, torch.float32 if exact else able.dtype_for(shape.dtype))
    folder = model_folder(name)
    return lambda mode: load(folder, device, exact and mode == "none", quantize=mode, capability=capability)


def random_model(
    name: str, config: LlamaConfig, sizes: Architecture, device: torch.device, dtype: torch.dtype, mode: Quantization
) -> MiniGPT4:
    release = read_release()
    card = Card(
        name=name,
        architecture="minigpt4",
        context_length=config.max_position_embeddings,
        quantization=mode,
        template=read_template(),
        generation=release.generation,
    )
    vision_encoder = random_vision_encoder(config.hidden_size, device, dtype, sizes)
    return MiniGPT4(card, WordTokenizer(config.vocab_size), vision_encoder, random_language(config, mode, device, dtype))
