"""Both stages on a tiny scale: a killed run goes on to the same losses, and the prompt is the engine's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from PIL import Image
from tokenizers import Tokenizer

from engine.images.decode import Picture
from engine.models.card import Template
from engine.models.card_reader import read_card
from engine.models.llama.llama import Llama
from engine.models.pocket.efficientnet import EfficientNet
from engine.prompts.renderer import Renderer
from engine.prompts.turn import Turn
from engine.training import run
from engine.training.data import Recipe, prepare
from engine.training.language_stage import Prompt
from engine.training.loop import Schedule
from engine.weights.loader import load_tensors
from engine.weights.pocket import CARD
from tests.engine.tiny import CONFIG

QUIET = lambda line: None  # noqa: E731


@pytest.fixture(scope="module")
def data(sprites: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    prepare(folder, Recipe(sprites, 0, 2), 12, 1)
    return folder


@pytest.fixture(scope="module")
def parts(pocket_folder: Path) -> run.FrozenParts:
    """The real EfficientNet and tokenizer; a language model with the real vocabulary, but two narrow layers."""
    efficientnet = EfficientNet()
    efficientnet.load_weights(load_tensors(pocket_folder / "eye.safetensors"))
    torch.manual_seed(0)
    language = Llama(replace(CONFIG, vocab_size=49152, tie_word_embeddings=True)).requires_grad_(False)
    return run.FrozenParts(efficientnet, language, Tokenizer.from_file(str(pocket_folder / "tokenizer.json")), Prompt.read(CARD))


def test_a_killed_run_goes_on_to_the_same_losses(parts: run.FrozenParts, data: Path, tmp_path: Path) -> None:
    accelerator = Accelerator(cpu=True)
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    for folder in (whole, halves):
        folder.mkdir()
    schedule = Schedule(steps=3, rate=1e-3, seed=4)
    expected = run.train_vision(parts, data, whole, schedule, 4, accelerator, QUIET)
    run.train_vision(parts, data, halves, replace(schedule, stop_after=2), 4, accelerator, QUIET)
    assert run.train_vision(parts, data, halves, schedule, 4, accelerator, QUIET) == expected
    assert expected[-1] < expected[0]


def test_the_second_stage_trains_nothing_but_its_adapters(parts: run.FrozenParts, data: Path, tmp_path: Path) -> None:
    accelerator = Accelerator(cpu=True)
    run.train_vision(parts, data, tmp_path, Schedule(1, 1e-3, 0), 4, accelerator, QUIET)
    before = {name: value.clone() for name, value in parts.language.state_dict().items() if "lora" not in name}
    losses = run.train_language(parts, data, tmp_path, Schedule(40, 1e-2, 0), 2, accelerator, QUIET)
    after = parts.language.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert losses[-1] < losses[0]
    assert (tmp_path / "speak.safetensors").is_file()


def test_training_reads_what_the_engine_will_write() -> None:
    prompt, card = Prompt.read(CARD), read_card(CARD.parent)
    picture = Picture(Image.new("RGB", (1, 1)), "0" * 64)
    turns = [Turn("user", (picture, "What?")), Turn("assistant", ("A cat.",)), Turn("user", ("Sure?",))]
    assert isinstance(card.template, Template)
    before, _, after = Renderer(card.template, (), lambda picture: "[words]").render(turns)
    assert before == prompt.before[0]

    def question(text: str) -> str:
        return prompt.question.format(content=text)

    assert after == prompt.after.format(words="[words]") + question("What?") + "A cat." + prompt.end + prompt.between + question("Sure?")
