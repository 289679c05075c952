"""Crude sprites, scenes of them, and the frozen parts of a bridge with a narrow language model."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw
from tokenizers import Tokenizer

from engine.models.llama.llama import Llama
from engine.models.pocket.efficientnet import EfficientNet
from engine.models.pocket.vocabulary import drawn
from engine.training.data import Recipe, prepare
from engine.training.language_stage import Prompt
from engine.training.run import FrozenParts
from engine.training.sprites import write_sprites
from engine.weights.loader import load_tensors
from engine.weights.pocket import CARD
from tests.engine.tiny import CONFIG

NAMES = ("apple", "cat", "person")


@pytest.fixture(scope="session")
def sprites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three crude drawings in two styles."""
    path = tmp_path_factory.mktemp("sprites") / "sprites.npz"
    rows = []
    for number, (style, name) in enumerate((style, name) for style in ("one", "two") for name in NAMES):
        image = Image.new("RGBA", (64, 48))
        ImageDraw.Draw(image).ellipse((4, 4, 60, 44), fill=(40 * number, 200 - 30 * number, 90, 255))
        data = io.BytesIO()
        image.save(data, "WEBP", lossless=True)
        rows.append((style, drawn().index(name), data.getvalue()))
    write_sprites(path, rows)
    return path


@pytest.fixture(scope="session")
def data(sprites: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve scenes and their chats."""
    folder = tmp_path_factory.mktemp("data")
    prepare(folder, Recipe(sprites, 0, 2), 12, 1)
    return folder


@pytest.fixture(scope="module")
def parts(pocket_folder: Path) -> FrozenParts:
    """The real EfficientNet and tokenizer; a language model with the real vocabulary, but two narrow layers."""
    efficientnet = EfficientNet()
    efficientnet.load_weights(load_tensors(pocket_folder / "eye.safetensors"))
    torch.manual_seed(0)
    language = Llama(replace(CONFIG, vocab_size=49152, tie_word_embeddings=True)).requires_grad_(False)
    return FrozenParts(efficientnet, language, Tokenizer.from_file(str(pocket_folder / "tokenizer.json")), Prompt.read(CARD))
