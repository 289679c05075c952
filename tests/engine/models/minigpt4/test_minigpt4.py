"""The golden vectors: what the release computed from the tiny files is what our folder computes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file
from sentencepiece import SentencePieceProcessor
from typer.testing import CliRunner

from engine.__main__ import app
from engine.core.detokenizer import REPLACEMENT
from engine.errors import WeightsError
from engine.evaluation.comparison import Comparison
from engine.images.decode import Limits, Picture, decode_picture
from engine.models.base import VisionLanguageModel
from engine.models.minigpt4.minigpt4 import as_bytes, normalise, to_square
from engine.models.tokenizer import JsonTokenizer
from engine.weights.loader import load
from tests.engine.weights.release_files import GOLDEN, VERSIONS, golden_sources, imported

CPU = torch.device("cpu")
CONVERSATIONS = [(version, name) for version in VERSIONS for name in ("one_image", "gray", "two_images")]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    for version in VERSIONS:
        imported(golden_sources(version), root / version)
    return {version: root / version for version in VERSIONS}


@pytest.fixture(scope="module")
def models(folders: dict[str, Path]) -> dict[str, VisionLanguageModel]:
    return {version: load(folder, CPU, exact=True) for version, folder in folders.items()}


def golden(version: str) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    folder = GOLDEN / f"tiny-{version}"
    return json.loads((folder / "expected.json").read_text()), load_file(folder / "expected.safetensors")


def pictures(version: str, names: list[str]) -> list[Picture]:
    return [decode_picture((GOLDEN / f"tiny-{version}" / name).read_bytes(), Limits()) for name in names]


@pytest.mark.parametrize("version", VERSIONS)
def test_preprocessed_picture(version: str) -> None:
    expected = golden(version)[1]["preprocess.a"]
    ours = normalise(as_bytes([to_square(Image.open(GOLDEN / f"tiny-{version}" / "a.png"), expected.shape[-1])]))[0]
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("version", "name"), CONVERSATIONS)
def test_picture_embeddings(version: str, name: str, models: dict[str, VisionLanguageModel]) -> None:
    expected, tensors = golden(version)
    images = [picture.image for picture in pictures(version, expected[name]["images"])]
    encoded = models[version].encode(images)
    for index, (encoding, prepared) in enumerate(zip(encoded, models[version].encode(models[version].prepare(images)), strict=True)):
        assert torch.equal(prepared.embeddings, encoding.embeddings)
        torch.testing.assert_close(encoding.embeddings, tensors[f"{name}.image{index}"][0], rtol=1e-4, atol=1e-5)


def test_a_picture_that_is_kept_keeps_no_others(models: dict[str, VisionLanguageModel]) -> None:
    for encoding in models["v0"].encode([picture.image for picture in pictures("v0", ["a.png", "gray.png"])]):
        assert encoding.embeddings.untyped_storage().nbytes() == encoding.embeddings.nbytes


@pytest.mark.parametrize(("version", "name"), CONVERSATIONS)
def test_conversation(version: str, name: str, models: dict[str, VisionLanguageModel]) -> None:
    """Prompt, ids of every segment, context length, greedy ids and text equal; next-token logits to fp32 rounding."""
    expected, tensors = golden(version)
    comparison = Comparison(models[version], pictures(version, expected[name]["images"]))
    for index, turn in enumerate(expected[name]["turns"]):
        record = comparison.ask(turn["question"], turn["answer_in_context"])
        for field in ("prompt", "segment_token_ids", "context_length", "greedy_token_ids"):
            assert getattr(record, field) == turn[field], field
        assert record.greedy_text == turn["greedy_text"].replace(REPLACEMENT, "").strip()  # we show no half characters
        best = tensors[f"{name}.turn{index}.logits"].topk(10)
        assert [number for number, _ in record.logits_top] == best.indices.tolist()
        torch.testing.assert_close(torch.tensor([value for _, value in record.logits_top]), best.values, rtol=1e-5, atol=2e-5)


def test_check_prints_one_object_that_another_implementation_can_use(folders: dict[str, Path], tmp_path: Path) -> None:
    expected = golden("v0")[0]["two_images"]
    first, second = expected["turns"]
    options = [word for name in expected["images"] for word in ("--picture", str(GOLDEN / "tiny-v0" / name))]
    options += ["--question", first["question"], "--answer", first["answer_in_context"], "--question", second["question"]]
    command = ["model", "check", str(folders["v0"]), *options, "--json"]
    checked = CliRunner(env={"GANDER_HOME": str(tmp_path)}).invoke(app, command, catch_exceptions=False)
    turns = json.loads(checked.stdout)["turns"]
    assert [turn["greedy_token_ids"] for turn in turns] == [first["greedy_token_ids"], second["greedy_token_ids"]]
    assert [turn["segment_token_ids"] for turn in turns] == [first["segment_token_ids"], second["segment_token_ids"]]
    assert all(len(turn["logits_top"]) == 10 for turn in turns)


@pytest.mark.parametrize("quantization", ["int8", "4bit"])
def test_quantised_import_is_exact_again_in_fp32_of_its_own_weights(quantization: Any, tmp_path: Path) -> None:
    """`exact` restores the stored codes; the prompt does not depend on the weights."""
    imported(golden_sources("v0"), tmp_path / "small", quantization)
    turn = golden("v0")[0]["gray"]["turns"][0]
    shown = pictures("v0", ["gray.png"])
    exact = Comparison(load(tmp_path / "small", CPU, exact=True), shown).ask(turn["question"], None)
    assert exact.segment_token_ids == turn["segment_token_ids"]
    served = Comparison(load(tmp_path / "small", CPU), shown).ask(turn["question"], None)
    difference = abs(exact.logits_top[0][1] - served.logits_top[0][1])
    assert difference < 0.05 * abs(exact.logits_top[0][1])


@given(st.lists(st.integers(0, 600), max_size=30))
def test_text_of_any_ids_is_sentencepieces(folders: dict[str, Path], ids: list[int]) -> None:
    """Also of half characters: one U+FFFD for each byte, its neighbours untouched."""
    pieces = SentencePieceProcessor(model_file=str(GOLDEN / "tiny-v0" / "llama-hf" / "tokenizer.model"))
    known = [number for number in ids if number > 2 and number < 600]
    assert JsonTokenizer.read(folders["v0"]).decode(ids).strip() == pieces.decode(known).strip()


def test_a_folder_without_one_of_its_shards_is_named(tmp_path: Path) -> None:
    imported(golden_sources("v0"), tmp_path / "out")
    shard = tmp_path / "out" / "eye-00001-of-00001.safetensors"
    shard.rename(tmp_path / "out" / "eye-00001-of-00002.safetensors")
    with pytest.raises(WeightsError, match="eye-00002-of-00002"):
        load(tmp_path / "out", CPU)
