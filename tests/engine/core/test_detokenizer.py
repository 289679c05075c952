"""What may be shown of an answer while it grows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from engine.core.detokenizer import Detokenizer
from engine.models.reasoning import markers_of
from engine.models.tokenizer import JsonTokenizer
from tests.engine.tiny import tiny_tokenizer

TOKENIZER = tiny_tokenizer()


PIECES = [
    "<0x00>",
    *(f"<0x{byte:02X}>" for byte in (0x41, 0xC3, 0xA9, 0xE4, 0xB8, 0x8B, 0xFF)),
    "\u2581",
    "\u2581a",
    "b",
    "\u2581\u2581",
    "###",
    "\u4e0b",
]


VICUNA = Tokenizer(models.BPE(vocab={piece: number for number, piece in enumerate(PIECES)}, merges=[], byte_fallback=True))


VICUNA_IDS = range(len(PIECES))


def stream(text: str, *stops: str) -> tuple[list[str], bool]:
    """Byte by byte; what was shown, in pieces, and whether a stop string ended it."""
    answer, pieces = Detokenizer(TOKENIZER, stops), []
    for token in TOKENIZER.encode(text):
        shown, stopped = answer.push(token)
        pieces.append(shown)
        if stopped:
            return pieces, True
    return [*pieces, answer.finish()], False


@settings(deadline=None)
@given(st.text(max_size=30).filter(lambda text: not any(special in text for special in TOKENIZER.specials)))
def test_everything_is_shown_once_without_blank_edges(text: str) -> None:
    assert "".join(stream(text)[0]) == text.strip()


@settings(deadline=None)
@given(st.text("ab#", max_size=30))
def test_never_a_character_of_a_stop_string(text: str) -> None:
    pieces, stopped = stream(text, "##", "ba#b")
    cuts = [text.find(stop) for stop in ("##", "ba#b") if stop in text]
    assert stopped == bool(cuts)
    assert "".join(pieces) == text[: min(cuts, default=len(text))]


def test_a_half_stop_string_waits() -> None:
    answer = Detokenizer(TOKENIZER, ["###"])
    shown = [answer.push(token)[0] for token in TOKENIZER.encode("a##b")]
    assert shown == ["a", "", "", "##b"]


def test_a_half_character_waits_and_a_broken_one_is_never_shown() -> None:
    answer = Detokenizer(TOKENIZER, [])
    first, *rest = TOKENIZER.encode("下")
    assert [answer.push(token)[0] for token in (first, *rest)] == ["", "", "下"]
    assert answer.push(first)[0] == ""
    assert answer.push(*TOKENIZER.encode("a"))[0] == "a"
    assert answer.push(first)[0] == ""
    assert answer.finish() == ""
    assert answer.decode([first, *TOKENIZER.encode("b"), first])[0] == "b"


@settings(deadline=None)
@given(st.lists(st.integers(0, 257), max_size=60))
def test_a_growing_answer_reads_as_the_whole_one(ids: list[int]) -> None:
    """Whatever the tokens: halves of characters in any order, and special ones."""
    answer = Detokenizer(TOKENIZER, [])
    pieces = [answer.push(token)[0] for token in ids]
    assert "".join([*pieces, answer.finish()]) == answer.decode(ids)[0]


@settings(deadline=None)
@given(st.lists(st.sampled_from(VICUNA_IDS), max_size=60))
def test_so_it_does_with_sentencepiece_and_its_bytes(ids: list[int]) -> None:
    tokenizer = JsonTokenizer(VICUNA, None, [])
    answer = Detokenizer(tokenizer, [])
    pieces = [answer.push(token)[0] for token in ids]
    assert "".join([*pieces, answer.finish()]) == answer.decode(ids)[0]


REASONING = markers_of(["<think>", "[THINK]", "[/THINK]"], "")


def thinker() -> JsonTokenizer:
    """Of bytes, where Mistral's markers are special tokens, and Qwen's are spelt."""
    tokenizer = tiny_tokenizer()._tokenizer
    tokenizer.add_special_tokens(["[THINK]", "[/THINK]"])
    return JsonTokenizer(tokenizer, "<s>", ["</s>"], REASONING)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("<think>a cat? a dog?</think>\n\nA dog.", "A dog."),
        ("[THINK]a cat?[/THINK]A dog.", "A dog."),
        ("A dog.<think>or a cat", "A dog."),
        ("<think></think>A dog<", "A dog<"),
        ("a < b <thin", "a < b <thin"),
        ("<think>one</think>A dog<think>two</think>, I say.", "A dog, I say."),
    ],
)
def test_reasoning_is_never_shown(written: str, shown: str) -> None:
    tokenizer = thinker()
    answer = Detokenizer(tokenizer, ())
    pieces = [answer.push(token)[0] for token in tokenizer.encode(written)]
    assert "".join([*pieces, answer.finish()]) == shown
    assert Detokenizer(tokenizer, ()).decode(tokenizer.encode(written)) == (shown, False)


def test_reasoning_that_the_prompt_began_is_not_shown_either() -> None:
    tokenizer = thinker()
    answer = Detokenizer(tokenizer, (), thinking="<think>")
    pieces = [answer.push(token)[0] for token in tokenizer.encode("Hm, well.</think>A dog.")]
    assert "".join([*pieces, answer.finish()]) == "A dog."


def test_a_model_that_knows_no_such_markers_may_write_of_them() -> None:
    assert "".join(stream("HTML has no <think> tag.")[0]) == "HTML has no <think> tag."
