"""Reading texts is the readers' work and bounded, so that one request never holds up the others."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from engine.core.build import build_engine
from engine.errors import ContextError
from engine.models.tokenizer import JsonTokenizer
from engine.prompts.turn import Turn
from tests.engine.core.requests import RED, Listener, asked, model
from tests.engine.tiny import TinyModel


@dataclass
class Counting:
    """A tokenizer that notes how much it reads."""

    inner: JsonTokenizer
    characters: list[int] = field(default_factory=list)

    def encode(self, text: str) -> list[int]:
        self.characters.append(len(text))
        return self.inner.encode(text)

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)


def counted() -> tuple[TinyModel, Counting]:
    made = model()
    tokenizer = Counting(made.tokenizer)
    return replace(made, tokenizer=cast(JsonTokenizer, tokenizer)), tokenizer


EMOJI = tuple(Turn("user" if number % 2 == 0 else "assistant", ("😀🦆" * 60,)) for number in range(3999))


def test_of_4000_emoji_messages_no_more_is_read_than_fits_and_nothing_by_the_device() -> None:
    made, tokenizer = counted()
    engine = build_engine(made, rows=2)
    request = engine.preprocessor.prepare(asked(*EMOJI, max_tokens=4))
    assert sum(tokenizer.characters) < 20 * made.card.context_length
    tokenizer.characters.clear()
    listener = Listener(request).join(engine)
    engine.step()
    assert not tokenizer.characters
    while engine.step():
        pass
    assert listener.done


def test_the_texts_around_a_new_picture_are_read_ahead_too() -> None:
    """What the model says of it in words, and where the texts meet it, is all that is left: never more than the window."""
    made, tokenizer = counted()
    engine = build_engine(made, rows=2)
    request = engine.preprocessor.prepare(asked(*EMOJI[:-1], Turn("user", (RED, "What is it?")), max_tokens=4))
    tokenizer.characters.clear()
    listener = Listener(request).join(engine)
    while engine.step():
        pass
    assert listener.done
    assert sum(tokenizer.characters) < 2 * made.card.context_length


def test_an_endless_message_is_refused_by_the_reader_after_a_windowful() -> None:
    made, tokenizer = counted()
    with pytest.raises(ContextError, match="maximum context length is 600 tokens"):
        build_engine(made, rows=1).preprocessor.prepare(asked(Turn("user", ("😀" * 400_000,))))
    assert sum(tokenizer.characters) < 20_000


def test_what_was_read_ahead_is_what_would_have_been_read() -> None:
    for turns in (EMOJI[:1], EMOJI[:9], (Turn("system", ("Be brief.",)), *EMOJI[:29])):
        prepared, plain = build_engine(model(), rows=1), build_engine(model(), rows=1)
        ahead = Listener(prepared.preprocessor.prepare(asked(*turns, max_tokens=6))).join(prepared)
        at_once = Listener(asked(*turns, max_tokens=6)).join(plain)
        while prepared.step() | plain.step():
            pass
        assert ahead.events == at_once.events
