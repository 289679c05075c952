"""Both stages on a tiny scale: a killed run goes on to the same losses, and the prompt is the engine's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from accelerate import Accelerator
from PIL import Image

from engine.images.decode import Picture
from engine.models.card import Template
from engine.models.card_reader import read_card
from engine.prompts.renderer import Renderer
from engine.prompts.turn import Turn
from engine.training import run
from engine.training.language_stage import Prompt
from engine.training.loop import Schedule
from engine.weights.pocket import CARD

QUIET = lambda line: None  # noqa: E731


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
