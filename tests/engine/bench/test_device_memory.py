"""The comparisons that `gander model measure` makes on a card, made on the CPU; and that it says so where there is no card."""

from __future__ import annotations

import pytest
import torch
from typer.testing import CliRunner

from engine.bench.device_memory import agreeing, greedy, random_language, same_tokens, same_tokens_split
from engine.commands.model import app
from engine.errors import ModelError
from engine.layers.modes import Quantization
from engine.models.llama.config import LlamaConfig

CPU = torch.device("cpu")
CONFIG = LlamaConfig(601, 64, 192, 4, 4, 4, 16)


@pytest.mark.parametrize("mode", ["int8", "4bit"])
def test_codes_give_the_tokens_of_the_weights_they_stand_for(mode: Quantization) -> None:
    assert same_tokens(CONFIG, mode, CPU, torch.float32, 30) == 30


def test_a_split_gives_the_tokens_of_one_device() -> None:
    assert same_tokens_split(CONFIG, [CPU, CPU], torch.float32, 30) == 30


def test_other_weights_give_other_tokens() -> None:
    """So that the two tests above can fail."""
    first, second = (greedy(random_language(CONFIG, "none", CPU, torch.float32, seed), 30) for seed in (0, 1))
    assert agreeing(first, second) < 30
    assert agreeing(first, first) == 30


@pytest.mark.skipif(torch.cuda.is_available(), reason="here is a GPU")
def test_without_a_gpu_the_command_points_to_plan() -> None:
    with pytest.raises(ModelError, match="gander model plan"):
        CliRunner().invoke(app, ["measure", "7b"], catch_exceptions=False)
