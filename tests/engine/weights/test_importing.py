"""The release's files become a folder with the release's numbers in it, whole or not at all."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.atomic_write import PART
from engine.errors import ModelError, WeightsError
from engine.models.card_reader import read_card
from engine.weights import shards
from engine.weights.importing import Sources
from engine.weights.merging import merge
from engine.weights.stored_tensors import open_folder
from tests.engine.weights.release_files import GOLDEN, VERSIONS, copied_sources, golden_sources, imported


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
    assert sources.delta
    merged = tmp_path / "vicuna"
    merged.mkdir()
    for name in ("config.json", "tokenizer.model", "added_tokens.json"):
        shutil.copy(sources.delta / name, merged)
    if merged_as == "safetensors":
        save_file(expected, merged / "model.safetensors")
    else:
        torch.save(expected, merged / "pytorch_model.bin")
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


def test_merging_adds_in_fp16_and_pads_the_base_with_zeros() -> None:
    base, delta = torch.full((2, 3), 1e-4), torch.full((3, 3), 1.0, dtype=torch.float16)
    merged = merge(base, delta.clone())
    assert merged.dtype == torch.float16
    assert torch.equal(merged[2], delta[2])
    assert torch.equal(merged[:2], (base.half() + delta[:2]))


def test_shards_stay_below_their_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_BYTES", 210_000)
    imported(golden_sources("v0"), tmp_path / "out")
    files = list((tmp_path / "out").glob("*.safetensors"))
    assert len(files) > 4
    assert max(path.stat().st_size for path in files) <= 210_000


def test_an_existing_folder_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("precious")
    with pytest.raises(ModelError, match="exists already"):
        imported(golden_sources("v0"), tmp_path / "out")
    assert (tmp_path / "out" / "thesis.txt").read_text() == "precious"


COMMAND = """
import sys, time
from pathlib import Path
from engine.weights import shards
from engine.weights import shard_folder
from engine.weights.importing import import_model
from tests.engine.weights.release_files import golden_sources
shards.SHARD_BYTES = 210_000
write = shard_folder.write_shard
def slowly(path, steps, advance):
    write(path, steps, advance)
    print(path.name, flush=True)
    time.sleep(float(sys.argv[2]))
shard_folder.write_shard = slowly
import_model(golden_sources("v0"), Path(sys.argv[1]), "none", lambda written, total: None)
"""


def test_an_import_killed_midway_continues_and_is_never_taken_for_ready(tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = [sys.executable, "-c", COMMAND, str(out)]
    with subprocess.Popen([*arguments, "60"], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        first = child.stdout.readline().strip()
        child.send_signal(signal.SIGKILL)
    assert not out.exists()
    half = tmp_path / ".out.partial"
    with pytest.raises(ModelError):  # which of its files is missed first does not matter
        read_card(half)
    finished = (half / first).stat().st_mtime_ns
    (half / f"{first}.0{PART}").touch()  # what a kill in the middle of a file leaves
    time.sleep(0.01)
    rest = subprocess.run([*arguments, "0"], capture_output=True, text=True, check=True).stdout.split()
    assert first not in rest
    assert (out / first).stat().st_mtime_ns == finished
    expected = load_file(GOLDEN / "tiny-v0" / "expected_vicuna.safetensors")
    assert all(torch.equal(tensor, expected[name]) for name, tensor in language(out).items())
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["out"]
    assert not list(out.glob(f"*{PART}"))


def test_an_import_from_other_files_keeps_nothing_of_the_interrupted_one(tmp_path: Path) -> None:
    half = tmp_path / ".out.partial"
    half.mkdir()
    (half / "language-00001-of-00001.safetensors").write_bytes(b"of another model")
    (half / "import.json").write_text('"another plan"')
    imported(golden_sources("v0"), tmp_path / "out")
    assert language(tmp_path / "out")


def test_missing_half_of_the_eye_names_the_option() -> None:
    sources: Sources = replace(golden_sources("v0"), vit=None)
    with pytest.raises(WeightsError, match="--vit"):
        imported(sources, Path("unused"))


def test_folder_reader_opens_only_what_is_wanted() -> None:
    tensors = open_folder(golden_sources("v0").llama, lambda name: name == "lm_head.weight")
    assert set(tensors) == {"lm_head.weight"}
