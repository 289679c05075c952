"""The models to measure: a ready folder, or MiniGPT-4's shape with random weights, which is as fast and needs no download."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from zlib import crc32

import torch

from engine.bench.device_memory import random_language, random_vision_encoder
from engine.device.devices import abilities
from engine.layers.modes import Quantization
from engine.models.base import VisionLanguageModel
from engine.models.card import Card
from engine.models.llama.config import LlamaConfig
from engine.models.minigpt4.config import Architecture
from engine.models.minigpt4.minigpt4 import MiniGPT4
from engine.models.tokenizer import join_pieces, piece_bytes
from engine.paths import model_folder
from engine.weights.loader import load
from engine.weights.memory_needed import RELEASE
from engine.weights.minigpt4_release import read_release, read_template

RANDOM = {f"random-{size}": config for size, config in RELEASE.items()}
SPECIALS = ("<unk>", "<s>", "</s>")
WORD = re.compile(r"\w+|[^\w\s]")
Open = Callable[[Quantization], VisionLanguageModel]


class WordTokenizer:
    """Makes about as many tokens of English as a real tokenizer of this size; what it decodes, it encodes to the same ids."""

    bos_id = 1
    eos_ids = frozenset({2})
    specials = SPECIALS
    reasoning = ()

    def __init__(self, vocabulary: int) -> None:
        bytewise = [f"<0x{byte:02X}>" for byte in range(256)]
        first = len(SPECIALS) + len(bytewise)
        self.pieces = [*SPECIALS, *bytewise, *(f"▁w{number}" for number in range(first, vocabulary))]
        self.ids = {piece: number for number, piece in enumerate(self.pieces)}
        self.first = first

    def encode(self, text: str) -> list[int]:
        words = self.first, len(self.pieces) - self.first
        return [self.ids.get(f"▁{word}", words[0] + crc32(word.encode()) % words[1]) for word in WORD.findall(text)]

    def decode(self, ids: Sequence[int]) -> str:
        return join_pieces([self.pieces[number] for number in ids if number >= len(SPECIALS)])

    def spell(self, token: int, first: bool = False) -> tuple[str, bytes | None]:
        piece = self.pieces[token]
        return (piece, None) if piece in SPECIALS else (piece, piece_bytes(piece))


def opener(name: str, device: torch.device, capability: tuple[int, int] | None) -> Open:
    """A function that puts the model `name` on the device in a mode; "none" is fp32 on a CPU, where that is the exact way.

    `capability` as in `loader.load`. Raises ModelError for a folder that is not ready.
    """
    exact = device.type == "cpu"
    if name in RANDOM:
        dtype = torch.float32 if exact else abilities(device, capability).dtype
        return functools.partial(random_model, name, RANDOM[name], Architecture(), device, dtype)
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
