"""Without a picture the pocket model is SmolLM2: its greedy answers in fp32 must equal those of transformers exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoTokenizer, LlamaForCausalLM

from engine.evaluation.cases import Bar
from engine.evaluation.chat import ChatModel
from engine.evaluation.run import Failure, Result

TOKENS = 48
QUESTIONS = (
    "What is the capital of France?",
    "Tell me a joke about a goose.",
    "How do I boil an egg?",
    "Write two sentences about the sea.",
    "What is 7 + 5?",
    "Why is the sky blue?",
    "Give me three names for a cat.",
    "Hello! Who are you?",
)


def text_only(chat: ChatModel, folder: Path, limit: int | None) -> Result:
    """`chat` must decode the ready `folder`'s model greedily in fp32, at most TOKENS tokens an answer."""
    failures = []
    questions = QUESTIONS[:limit]
    reference = Reference(folder)
    for question in questions:
        (ours,), theirs = chat(None, [question]), reference.answer(question)
        if ours != theirs:
            failures.append(Failure("no picture", question, theirs, ours))
    return Result(
        "text alone equals SmolLM2 (fp32)", len(questions) - len(failures), len(questions), Bar("at least", 1.0), None, tuple(failures)
    )


class Reference:
    """transformers' own LLaMA and chat template on the converted weights."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = cast(Any, LlamaForCausalLM(AutoConfig.from_pretrained(folder, dtype=torch.float32)))  # its stubs are partial
        tensors = {name: tensor.float() for name, tensor in load_file(folder / "language.safetensors").items()}
        self.model.load_state_dict(tensors, strict=False)  # the output embedding is tied, so the file has none
        self.model.eval().tie_weights()

    def answer(self, question: str) -> str:
        messages = [{"role": "user", "content": question}]
        prompt = self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        ids = torch.tensor([self.tokenizer.encode(str(prompt), add_special_tokens=False)])
        with torch.inference_mode():
            written = self.model.generate(ids, do_sample=False, max_new_tokens=TOKENS)
        return str(self.tokenizer.decode(written[0, ids.shape[1] :], skip_special_tokens=True)).strip()
