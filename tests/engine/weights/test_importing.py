"""The release's files become a folder with the release's numbers in it, whole or not at all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.errors import ModelError
from engine.models.card_reader import read_card
from engine.weights.importing import Sources
from tests.engine.weights.release_files import (
    GOLDEN,
    VERSIONS,
    copied_sources,
    edit_json,
    edit_tensors,
    expect_refusal,
    golden_sources,
    imported,
    merged_vicuna,
)


def language(folder: Path) -> dict[str, torch.Tensor]:
    return {name: tensor for path in folder.glob("language-*.safetensors") for name, tensor in load_file(path).items()}


@pytest.mark.parametrize("version", VERSIONS)
def test_merged_weights_are_the_releases_bit_for_bit(version: str, tmp_path: Path) -> None:
    imported(golden_sources(version), tmp_path / "out")
    expected = load_file(GOLDEN / f"tiny-{version}" / "expected_vicuna.safetensors")
    ours = language(tmp_path / "out")
    assert ours.keys() == expected.keys()
    for name, tensor in expected.items():
        assert ours[name].dtype == tensor.dtype
        assert torch.equal(ours[name], tensor), name


@pytest.mark.parametrize("merged_as", ["safetensors", "bin"])
def test_merged_vicuna_needs_no_delta(merged_as: str, tmp_path: Path) -> None:
    sources = copied_sources(tmp_path)
    expected = load_file(GOLDEN / "tiny-v0" / "expected_vicuna.safetensors")
    merged = merged_vicuna(tmp_path / "vicuna", "v0", merged_as)
    imported(replace(sources, llama=merged, delta=None), tmp_path / "out")
    assert all(torch.equal(tensor, expected[name]) for name, tensor in language(tmp_path / "out").items())


def test_the_hugging_face_copy_of_the_eye_gives_the_same_eye(tmp_path: Path) -> None:
    """Its names are transformers' own; only the files that its index gives for the vision encoder need be there."""
    sources = golden_sources("v0")
    imported(sources, tmp_path / "from_files")
    vision_encoder = load_file(tmp_path / "from_files" / "eye-00001-of-00001.safetensors")
    hub = tmp_path / "blip2-flan-t5-xxl"
    hub.mkdir()
    save_file(
        {name: tensor for name, tensor in vision_encoder.items() if "llama_proj" not in name}, hub / "model-00001-of-00002.safetensors"
    )
    weight_map = dict.fromkeys(vision_encoder, "model-00001-of-00002.safetensors")
    weight_map = {name: file for name, file in weight_map.items() if "llama_proj" not in name}
    weight_map["language_model.shared.weight"] = "model-00002-of-00002.safetensors"
    (hub / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    imported(replace(sources, vit=None, blip2=hub), tmp_path / "from_hub")
    again = load_file(tmp_path / "from_hub" / "eye-00001-of-00001.safetensors")
    assert again.keys() == vision_encoder.keys()
    assert all(torch.equal(again[name], tensor) for name, tensor in vision_encoder.items())


def test_the_card_states_template_version_and_licences(tmp_path: Path) -> None:
    card = imported(golden_sources("v0"), tmp_path / "mine")
    assert card == read_card(tmp_path / "mine")
    assert (card.name, card.version, card.context_length) == ("mine", "Vicuna v0", 2048)
    assert card.template.stop == ("###",)
    assert {part.name for part in card.parts} == {"LLaMA", "Vicuna delta", "EVA ViT-g", "BLIP-2 Q-Former", "MiniGPT-4 projection"}
    assert all(part.licence for part in card.parts)


def test_config_gives_the_ids_that_the_tokenizer_has(tmp_path: Path) -> None:
    """The configs of 2023 say bos 0, eos 1, pad -1."""
    imported(golden_sources("v0"), tmp_path / "out")
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert (config["bos_token_id"], config["eos_token_id"], config["pad_token_id"]) == (1, 2, None)
    assert config["vocab_size"] == 601


def test_an_existing_folder_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("precious")
    with pytest.raises(ModelError, match="exists already"):
        imported(golden_sources("v0"), tmp_path / "out")
    assert (tmp_path / "out" / "thesis.txt").read_text() == "precious"


def test_projection_of_another_size(sources: Sources, out: Path) -> None:
    def widen(tensors: dict[str, torch.Tensor]) -> None:
        tensors["llama_proj.weight"] = torch.zeros(128, 48)

    edit_tensors(sources.checkpoint, widen)
    expect_refusal(sources, out, "pretrained_minigpt4.pth", "128", "64", "--checkpoint")


def test_checkpoint_of_something_else(sources: Sources, out: Path) -> None:
    torch.save({"model": {"head.weight": torch.zeros(2)}}, sources.checkpoint)
    expect_refusal(sources, out, str(sources.checkpoint), "llama_proj.weight")


def test_a_q_former_that_was_trained_on_takes_the_place_of_blip2s(sources: Sources, out: Path) -> None:
    assert sources.blip2
    trained = torch.load(sources.blip2, weights_only=True)["model"]
    queries = trained["query_tokens"] + 1
    edit_tensors(sources.checkpoint, lambda tensors: tensors.update({"query_tokens": queries}))
    imported(sources, out)
    assert torch.equal(load_file(out / "eye-00001-of-00001.safetensors")["query_tokens"], queries)


@pytest.mark.parametrize(
    ("name", "shape"), [("llama_model.layers.0.q_proj.lora_A.weight", (4, 64)), ("llama_model.model.norm.weight", (64,))]
)
def test_a_language_half_that_was_trained_beside_a_q_former_is_told(name: str, shape: tuple[int, ...], sources: Sources, out: Path) -> None:
    edit_tensors(sources.checkpoint, lambda tensors: tensors.update({name: torch.zeros(shape)}))
    expect_refusal(sources, out, str(sources.checkpoint), "language half was trained", "pretrained_minigpt4")


@pytest.mark.parametrize(("name", "rows", "made"), [("t5_proj.weight", 2048, "flan-t5-xl"), ("opt_proj.weight", 2560, "OPT")])
def test_another_blip2_is_told(name: str, rows: int, made: str, sources: Sources, out: Path) -> None:
    assert sources.blip2
    edit_tensors(sources.blip2, lambda tensors: tensors.update({name: torch.zeros(rows, 48)}))
    expect_refusal(sources, out, str(sources.blip2), made, "flant5xxl")


def test_another_blip2s_repository_is_told(sources: Sources, out: Path) -> None:
    folder = out.parent / "blip2-opt-2.7b"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "blip-2", "text_config": {"model_type": "opt"}}))
    expect_refusal(replace(sources, vit=None, blip2=folder), out, str(folder), "opt", "flan-t5-xxl")


def test_the_card_says_which_language_was_trained(out: Path) -> None:
    card = imported(golden_sources("v0"), out)
    assert card.languages == ("en",)
    assert "other languages" in card.notice


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("llama-hf/pytorch_model.bin.index.json", "{"),
        ("llama-hf/pytorch_model.bin.index.json", "[]"),
        ("llama-hf/pytorch_model.bin.index.json", '{"weight_map": []}'),
        ("llama-hf/config.json", "[]"),
        ("llama-hf/config.json", '{"vocab_size": 600, "hidden_size": "64", "num_attention_heads": 4}'),
        ("llama-hf/config.json", '{"vocab_size": 600, "hidden_size": 64, "num_attention_heads": 0}'),
        ("vicuna-delta-v0/added_tokens.json", "{"),
        ("vicuna-delta-v0/added_tokens.json", '["[PAD]"]'),
        ("vicuna-delta-v0/tokenizer.model", ""),
        ("architecture.json", "{"),
        ("architecture.json", '{"vision": {"num_attention_heads": 7}}'),
        ("architecture.json", '{"qformer": {"num_attention_heads": 0}}'),
    ],
)
def test_damaged_small_file_is_named(name: str, content: str, sources: Sources, out: Path) -> None:
    path = sources.llama.parent / name
    path.write_text(content)
    expect_refusal(sources, out, str(path))


@pytest.mark.parametrize("name", ["llama-hf/pytorch_model.bin.index.json", "llama-hf/config.json", "vicuna-delta-v0/tokenizer.model"])
def test_small_file_that_can_not_be_read_is_named(name: str, sources: Sources, out: Path) -> None:
    path = sources.llama.parent / name
    path.unlink()
    path.mkdir()
    expect_refusal(sources, out, str(path), "can't be read")


@pytest.mark.parametrize("name", ["llama-hf/pytorch_model.bin.index.json", "llama-hf/config.json", "vicuna-delta-v0/added_tokens.json"])
def test_a_byte_order_mark_is_no_damage(name: str, sources: Sources, out: Path) -> None:
    path = sources.llama.parent / name
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    imported(sources, out)


def test_rope_that_is_not_computed_names_its_file(sources: Sources, out: Path) -> None:
    edit_json(sources.llama / "config.json", rope_scaling={"rope_type": "longrope"})
    expect_refusal(sources, out, f"{sources.llama / 'config.json'} says rope_type = 'longrope'")
