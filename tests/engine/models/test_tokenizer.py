"""Token ids and text: what is spelt out token by token is the text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.models.tokenizer import JsonTokenizer
from tests.engine.tiny import tiny_tokenizer
from tests.engine.weights.test_tokenizer_conversion import TOKENIZER as SENTENCEPIECE

TOKENIZER = tiny_tokenizer()


@pytest.mark.parametrize("tokenizer", [TOKENIZER, JsonTokenizer(SENTENCEPIECE, None, [])], ids=["byte-level", "sentencepiece"])
@settings(deadline=None)
@given(text=st.text(st.sampled_from("It is true.\n下雨🦢é ")).map(str.strip))
def test_tokens_spelt_out_are_the_answer(tokenizer: JsonTokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    spelt = [tokenizer.spell(token, first=at == 0) for at, token in enumerate(ids)]
    assert b"".join(raw or b"" for _, raw in spelt).decode() == text
    assert all(name.startswith(r"bytes:\x") or name == (raw or b"").decode() for name, raw in spelt)
    if text.isascii():
        assert "".join(name for name, _ in spelt) == text


def test_an_end_has_a_name_and_no_bytes() -> None:
    assert TOKENIZER.spell(257) == ("</s>", None)
