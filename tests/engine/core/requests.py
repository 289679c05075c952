"""Requests to a tiny model, who hears them, and what transformers answers to the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from typing import Any

import torch
from PIL import Image
from transformers import LlamaConfig as OracleConfig
from transformers import LlamaForCausalLM

from engine.core.engine import Engine
from engine.core.offline import OfflineEngine
from engine.errors import EngineError
from engine.images.decode import Picture
from engine.models.card import Generation
from engine.models.tokenizer import JsonTokenizer
from engine.prompts.context import ContextBuilder
from engine.prompts.turn import Turn
from engine.request import Done, Event, Request, TextDelta
from tests.engine.tiny import TinyModel, tiny_language, tiny_tokenizer

RED = Picture(Image.new("RGB", (9, 7), "red"), "a" * 64)


GREY = Picture(Image.new("RGB", (30, 20), "grey"), "b" * 64)


QUESTION = Turn("user", (RED, "What is it?"))


QUESTIONS: tuple[tuple[Turn, ...], ...] = (
    (QUESTION,),
    (QUESTION, Turn("assistant", ("A thing.",)), Turn("user", ("And what else do you see there?",))),
    (Turn("user", (GREY, RED, "Both?")),),
    (Turn("user", ("hello there",)),),
    (Turn("user", ("hello there, " * 20,)),),
)


def asked(*turns: Turn, **changes: float | str) -> Request:
    generation = Generation.model_validate({"temperature": 0.0, "max_tokens": 24, **changes})
    return Request(turns or (QUESTION,), generation)


def events(model: TinyModel, request: Request, cancelled: Callable[[], bool] = lambda: False) -> list[Event]:
    return list(OfflineEngine(model).generate(request, cancelled))


def text(found: list[Event], choice: int = 0) -> str:
    return "".join(event.text for event in found if isinstance(event, TextDelta) and event.choice == choice)


class Ids(JsonTokenizer):
    """Shows tokens as numbers, so that equal texts are equal tokens."""

    def decode(self, ids: Sequence[int]) -> str:
        return " ".join(map(str, ids))

    def spell(self, token: int, first: bool = False) -> tuple[str, bytes | None]:
        return str(token), str(token).encode()


def oracle(model: TinyModel) -> Any:
    """transformers' model with the tiny one's weights."""
    language = model.language_model
    theirs = LlamaForCausalLM(OracleConfig(**asdict(language.config)))
    state = {}
    for name, tensor in language.state_dict().items():
        stem, _, part = name.removesuffix(".weight").rpartition(".")
        cuts, names = {
            "qkv_proj": ([32, 16, 16], ["q_proj", "k_proj", "v_proj"]),
            "gate_up_proj": ([64, 64], ["gate_proj", "up_proj"]),
        }.get(part, ([len(tensor)], [part]))
        for piece, label in zip(tensor.split(cuts), names, strict=True):
            state[f"{stem}.{label}.weight".lstrip(".")] = piece
    theirs.load_state_dict(state)
    return theirs


def oracle_text(model: TinyModel, request: Request) -> str:
    builder = ContextBuilder(model)
    hidden = builder.embed(
        builder.build(request.turns, {picture.sha256: model.look(picture.image) for picture in (RED, GREY)}, request.generation.max_tokens)
    )[None]
    made = request.generation
    (eos,) = model.tokenizer.eos_ids
    ids = oracle(model).generate(
        inputs_embeds=hidden,
        attention_mask=torch.ones(hidden.shape[:2], dtype=torch.long),
        do_sample=False,
        num_beams=made.num_beams,
        repetition_penalty=made.repetition_penalty,
        length_penalty=made.length_penalty if made.num_beams > 1 else None,
        early_stopping=made.early_stopping if made.num_beams > 1 else None,
        max_new_tokens=made.max_tokens,
        min_new_tokens=min(request.min_tokens, made.max_tokens) or None,
        eos_token_id=eos,
        pad_token_id=eos,
    )
    return model.tokenizer.decode([token for token in ids[0].tolist() if token != eos])


def make_end_likely(model: TinyModel) -> None:
    """Likely enough that beams end at different lengths."""
    (eos,) = model.tokenizer.eos_ids
    head = model.language_model.lm_head.weight.data
    head[eos] = head[:64].sum(dim=0) / 4


@lru_cache
def model(ends: bool = True) -> TinyModel:
    made = TinyModel(language_model=tiny_language(3), tokenizer=tiny_tokenizer(Ids))
    if ends:
        make_end_likely(made)
    return made


@dataclass
class Listener:
    """Hears one request."""

    request: Request
    events: list[Event | EngineError] = field(default_factory=list)

    def join(self, engine: Engine) -> Listener:
        """A request of its own in the engine, equal to the one that was given."""
        self.request = replace(self.request)
        engine.add(self.request, self.events.append)
        return self

    @property
    def text(self) -> str:
        return text([event for event in self.events if not isinstance(event, EngineError)])

    @property
    def done(self) -> bool:
        return bool(self.events) and isinstance(self.events[-1], Done)


def run(engine: Engine, *asks: Request) -> list[Listener]:
    heard = [Listener(request).join(engine) for request in asks]
    while engine.step():
        pass
    return heard
