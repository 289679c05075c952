"""Which weight files belong to a folder: shards that are missing, or that the index forgot, and folders of another format."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import WeightsError
from engine.weights.importing import Sources
from engine.weights.stored_tensors import open_folder
from engine.weights.weight_files import check_unlisted, in_cache
from tests.engine.weights.release_files import (
    edit_json,
    expect_refusal,
    golden_sources,
    imported,
    merged_vicuna,
)
from tests.engine.weights.test_stored_tensors import POINTER


def test_shard_that_is_not_there(sources: Sources, out: Path) -> None:
    (sources.llama / "pytorch_model-00002-of-00003.bin").unlink()
    expect_refusal(sources, out, "pytorch_model-00002-of-00003.bin", "missing")


def test_shard_that_is_not_there_without_an_index(sources: Sources, out: Path) -> None:
    (sources.llama / "pytorch_model.bin.index.json").unlink()
    imported(sources, out)
    shutil.rmtree(out)
    (sources.llama / "pytorch_model-00002-of-00003.bin").unlink()
    expect_refusal(sources, out, "pytorch_model-00002-of-00003.bin", "missing")


def test_shard_that_the_index_forgot_is_read_all_the_same(sources: Sources, out: Path) -> None:
    index = sources.llama / "pytorch_model.bin.index.json"
    weight_map = json.loads(index.read_text())["weight_map"]
    edit_json(index, weight_map={name: file for name, file in weight_map.items() if "00002" not in file})
    imported(sources, out)
    assert (out / "gander.json").exists()


@pytest.mark.parametrize("stale", ["pytorch_model-00001-of-00033.bin", "pytorch_model.bin", "model.safetensors"])
def test_what_the_index_does_not_list_is_not_read(stale: str, sources: Sources, out: Path) -> None:
    expected = open_folder(sources.llama)["model.norm.weight"].read()
    wrong = {name: torch.full(tensor.shape, 2.0) for name, tensor in open_folder(sources.llama).items()}
    if stale.endswith("bin"):
        torch.save(wrong, sources.llama / stale)
    else:
        save_file(wrong, sources.llama / stale)
    assert torch.equal(open_folder(sources.llama)["model.norm.weight"].read(), expected)


def test_an_unlisted_file_that_transformers_would_take_is_named(tmp_path: Path) -> None:
    save_file({"a": torch.ones(1)}, tmp_path / "model.safetensors")
    check_unlisted(tmp_path)
    save_file({"a": torch.ones(1)}, tmp_path / "model-00001-of-00001.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-00001-of-00001.safetensors"}}')
    with pytest.raises(WeightsError, match="is not among the files"):
        check_unlisted(tmp_path)


def test_two_sets_without_an_index_are_a_question(sources: Sources, out: Path) -> None:
    (sources.llama / "pytorch_model.bin.index.json").unlink()
    shutil.copy(sources.llama / "pytorch_model-00001-of-00003.bin", sources.llama / "pytorch_model.bin")
    expect_refusal(sources, out, str(sources.llama), "pytorch_model-00001-of-00003.bin", "pytorch_model.bin", "no index")


def test_an_index_begun_is_not_passed_over(sources: Sources, out: Path) -> None:
    (sources.llama / "pytorch_model-00002-of-00003.bin").unlink()
    save_file({"model.norm.weight": torch.zeros(64)}, sources.llama / "model.safetensors")
    expect_refusal(sources, out, "pytorch_model-00002-of-00003.bin", "missing")


def test_an_index_without_any_of_its_files_belongs_to_what_was_not_fetched(tmp_path: Path) -> None:
    folder = merged_vicuna(tmp_path / "vicuna", "v0")
    (folder / "pytorch_model.bin.index.json").write_text(
        json.dumps({"weight_map": {"model.norm.weight": "pytorch_model-00001-of-00002.bin"}})
    )
    assert "model.norm.weight" in open_folder(folder)


def test_pointers_beside_whole_files_are_passed_over(sources: Sources, out: Path) -> None:
    (sources.llama / "model.safetensors").write_bytes(POINTER)
    imported(sources, out)


def test_an_index_that_leaves_its_folder_is_refused(sources: Sources, out: Path) -> None:
    edit_json(sources.llama / "pytorch_model.bin.index.json", weight_map={"model.norm.weight": "../secret.bin"})
    expect_refusal(sources, out, "../secret.bin")


def test_a_gguf_is_told(tmp_path: Path) -> None:
    (tmp_path / "model-q4.gguf").write_bytes(b"GGUF")
    with pytest.raises(WeightsError, match=r"llama\.cpp's form"):
        open_folder(tmp_path)


def test_a_repositorys_root_in_the_hubs_cache(tmp_path: Path) -> None:
    root = tmp_path / "models--gander--tiny"
    for commit in ("a" * 40, "b" * 40):
        (root / "snapshots" / commit).mkdir(parents=True)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text("a" * 40)
    assert in_cache(root) == root / "snapshots" / ("a" * 40)
    assert in_cache(tmp_path) == tmp_path


def test_llama_in_its_owners_format(sources: Sources, out: Path) -> None:
    for path in sources.llama.iterdir():
        path.unlink()
    (sources.llama / "params.json").write_text("{}")
    expect_refusal(sources, out, "llama-hf", "convert_llama_weights_to_hf")


def test_folder_reader_opens_only_what_is_wanted() -> None:
    tensors = open_folder(golden_sources("v0").llama, lambda name: name == "lm_head.weight")
    assert set(tensors) == {"lm_head.weight"}
