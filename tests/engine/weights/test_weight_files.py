"""Which weight files belong to a folder: shards that are missing, or that the index forgot, and folders of another format."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from engine.weights.importing import Sources
from engine.weights.stored_tensors import open_folder
from tests.engine.weights.release_files import (
    edit_json,
    expect_refusal,
    golden_sources,
    imported,
)


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


def test_llama_in_its_owners_format(sources: Sources, out: Path) -> None:
    for path in sources.llama.iterdir():
        path.unlink()
    (sources.llama / "params.json").write_text("{}")
    expect_refusal(sources, out, "llama-hf", "convert_llama_weights_to_hf")


def test_folder_reader_opens_only_what_is_wanted() -> None:
    tensors = open_folder(golden_sources("v0").llama, lambda name: name == "lm_head.weight")
    assert set(tensors) == {"lm_head.weight"}
