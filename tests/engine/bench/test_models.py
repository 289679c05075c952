"""The models to measure."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch

from engine.bench.gander_contender import GanderContender
from engine.bench.models import random_model
from engine.bench.word_tokenizer import WordTokenizer
from engine.bench.workload import opening
from engine.models.minigpt4.config import Architecture, QFormerSizes, VisionSizes
from tests.engine.tiny import CONFIG


def test_a_random_model_has_the_release_s_form_and_is_the_same_again() -> None:
    vision = VisionSizes(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    sizes = Architecture(
        vision=vision, qformer=QFormerSizes(hidden_size=24, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
    )
    make = partial(random_model, "random-tiny", replace(CONFIG, vocab_size=400), sizes, torch.device("cpu"), torch.float32)
    first, again = (GanderContender(make("none"), 1, 600).answer(opening(1), 5) for _ in range(2))
    assert first.text == again.text
    tokenizer = WordTokenizer(400)
    assert first.tokens == 5
    assert tokenizer.decode(tokenizer.encode("w259 w300 w399")) == "w259 w300 w399"
    assert GanderContender(make("int8"), 1, 600).name == "gander int8"
