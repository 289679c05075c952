"""Real weights: the pocket model's language model alone answers token for token as transformers does, where it has been pulled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaConfig as OracleConfig
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from engine.core.offline import OfflineEngine
from engine.errors import ModelError
from engine.models.card import Card
from engine.models.card_reader import read_card
from engine.models.tokenizer import JsonTokenizer
from engine.paths import model_folder
from engine.prompts.turn import Turn
from engine.request import Request, TextDelta
from engine.weights.loader import load_language
from tests.engine.tiny import TinyModel

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder() -> Path:
    try:
        return model_folder("pocket")
    except ModelError as error:
        pytest.skip(str(error))


def answer(folder: Path, card: Card, question: str, beams: int) -> str:
    dtype = torch.float32 if card.quantization == "none" else torch.bfloat16
    model = TinyModel(card, JsonTokenizer.read(folder), load_language(folder, card, CPU, dtype))
    generation = card.generation.model_copy(update={"max_tokens": 16, "num_beams": beams})
    request = Request((Turn("user", (question,)),), generation)
    return "".join(event.text for event in OfflineEngine(model).generate(request, lambda: False) if isinstance(event, TextDelta))


@torch.no_grad()
def expected(folder: Path, question: str, beams: int) -> str:
    oracle: Any = LlamaForCausalLM(OracleConfig.from_pretrained(folder))
    state = {name: tensor.float() for name, tensor in load_file(folder / "language.safetensors").items()}
    oracle.load_state_dict(state, strict=False)
    oracle.tie_weights()
    template = (folder / "chat_template.jinja").read_text(encoding="utf-8")
    tokenizer: Any = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), chat_template=template)
    prompt = tokenizer.apply_chat_template([{"role": "user", "content": question}], add_generation_prompt=True, return_tensors="pt")
    made = oracle.generate(**prompt, do_sample=False, num_beams=beams, max_new_tokens=16, eos_token_id=2, pad_token_id=2)
    text: str = tokenizer.decode(made[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True)
    return text.strip()


@pytest.mark.parametrize("beams", [1, 3])
def test_text_only_chat_is_smollms_own(folder: Path, beams: int) -> None:
    card = read_card(folder).model_copy(update={"quantization": "none"})
    question = "What is the capital of France?"
    assert answer(folder, card, question, beams) == expected(folder, question, beams)


def test_int8_still_makes_sense(folder: Path) -> None:
    assert "Paris" in answer(folder, read_card(folder), "What is the capital of France?", 1)
