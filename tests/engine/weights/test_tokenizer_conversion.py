"""`tokenizer.json` gives SentencePiece's own ids, segment by segment, as the release saw them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor
from tokenizers import Tokenizer

from engine.weights.importing import Sources
from engine.weights.tokenizer_conversion import build_tokenizer, read_pieces
from tests.engine.weights.release_files import GOLDEN, VERSIONS, edit_json, golden_sources, imported

MODEL = GOLDEN / "tiny-v0" / "llama-hf" / "tokenizer.model"
PIECES: SentencePieceProcessor = read_pieces(MODEL)
TOKENIZER: Tokenizer = build_tokenizer(PIECES, ["[PAD]"])


def expected(version: str) -> dict[str, object]:
    content: dict[str, object] = json.loads((GOLDEN / f"tiny-{version}" / "expected.json").read_text())
    return content


def encode(text: str) -> list[int]:
    ids: list[int] = TOKENIZER.encode(text, add_special_tokens=False).ids
    return ids


WORDS = st.sampled_from(["the ", " picture", "###", "Human: ", "<Img>", "</Img> ", "  ", "\n", "下雨", "🦢", "é", "What is", "aaaa"])


@given(st.one_of(st.text(), st.lists(WORDS).map("".join)).filter(lambda text: "\0" not in text))
def test_ids_equal_sentencepiece(text: str) -> None:
    if any(special in text for special in ("<s>", "</s>", "<unk>", "[PAD]")):
        return
    assert encode(text) == PIECES.encode(text)


@pytest.mark.parametrize("text", [" starts with a space", "  two", " ", "", "ends with one "])
def test_a_segment_that_starts_with_a_space_keeps_it(text: str) -> None:
    assert encode(text) == PIECES.encode(text)


def test_special_tokens_spelled_out_are_single_ids() -> None:
    assert encode("<s>") == [1]
    assert encode("[PAD]") == [600]


@pytest.mark.parametrize("version", VERSIONS)
def test_golden_files_share_their_tokenizer(version: str) -> None:
    folder = Path(GOLDEN / f"tiny-{version}")
    assert (folder / f"vicuna-delta-{version}" / "tokenizer.model").read_bytes() == MODEL.read_bytes()
    assert expected(version)


def test_v0_vocabulary_has_one_word_more_than_its_base(out: Path) -> None:
    imported(golden_sources("v0"), out)
    assert Tokenizer.from_file(str(out / "tokenizer.json")).token_to_id("[PAD]") == 600


@pytest.mark.parametrize("spelling", ["LLaMATokenizer", "LlamaTokenizer"])
@pytest.mark.parametrize("special", ["", None, "<s>"])
def test_tokenizer_config_of_2023(spelling: str, special: str | None, sources: Sources, out: Path) -> None:
    """A class that no longer exists and empty special tokens: the SentencePiece model alone is asked."""
    assert sources.delta
    values = dict.fromkeys(("bos_token", "eos_token", "unk_token"), special)
    for folder in (sources.llama, sources.delta):
        edit_json(folder / "tokenizer_config.json", tokenizer_class=spelling, **values)
        edit_json(folder / "special_tokens_map.json", **values)
    imported(sources, out)
    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    assert tokenizer.encode("a</s>", add_special_tokens=False).ids[-1] == 2
    written = json.loads((out / "tokenizer_config.json").read_text())
    assert (written["bos_token"], written["eos_token"], written["unk_token"]) == ("<s>", "</s>", "<unk>")


def test_tokenizer_only_in_the_base(sources: Sources, out: Path) -> None:
    assert sources.delta
    (sources.delta / "tokenizer.model").unlink()
    imported(sources, out)
    assert (out / "tokenizer.json").exists()
