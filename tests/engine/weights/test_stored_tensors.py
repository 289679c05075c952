"""Weight files that are truncated, of another kind, or more than tensors are refused with the file to change."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import WeightsError
from engine.weights.importing import Sources
from engine.weights.stored_tensors import open_weights
from tests.engine.weights.release_files import (
    expect_refusal,
    imported,
)

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 9876543210\n"


@pytest.mark.parametrize("kept", [0.5, 0.99])
def test_truncated_shard(kept: float, sources: Sources, out: Path) -> None:
    path = sources.llama / "pytorch_model-00002-of-00003.bin"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    expect_refusal(sources, out, str(path), "truncated")


def test_truncated_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.zeros(100)}, path)
    for kept in (4, 60, path.stat().st_size - 1):
        path.write_bytes(path.read_bytes()[:kept])
        with pytest.raises(WeightsError, match="truncated"):
            open_weights(path)
        save_file({"a": torch.zeros(100)}, path)


@pytest.mark.parametrize(
    ("shape", "offsets"), [([2], [-8, 0]), ([2], [0, 4]), ([-2], [0, 8]), ([1 << 62, 1 << 62], [0, 8]), ("ab", [0, 8]), ([2], [0])]
)
def test_safetensors_whose_header_lies(shape: object, offsets: list[int], tmp_path: Path) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": shape, "data_offsets": offsets}}).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with pytest.raises(WeightsError, match="truncated or no safetensors"):
        open_weights(path)


@pytest.mark.parametrize("name", ["llama-hf/pytorch_model-00001-of-00003.bin", "eva_vit_g.pth", "vicuna-delta-v0/tokenizer.model"])
def test_git_lfs_pointer(name: str, sources: Sources, out: Path) -> None:
    path = sources.llama.parent / name
    path.write_bytes(POINTER)
    expect_refusal(sources, out, str(path), "git lfs pull")


def test_web_page_in_place_of_weights(sources: Sources, out: Path) -> None:
    sources.checkpoint.write_bytes(b"<!DOCTYPE html><title>Google Drive: quota exceeded</title>")
    expect_refusal(sources, out, str(sources.checkpoint), "<!DOCTYPE")


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("this must never run",)


def test_pickle_that_is_more_than_tensors_is_refused_and_not_run(sources: Sources, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"model": Bomb()}, sources.checkpoint)
    with pytest.raises(WeightsError) as caught:
        imported(sources, out)
    assert "(print) and was refused" in str(caught.value)
    assert "weights_only" not in str(caught.value)  # torch's own words recommend to switch it off
    assert "never" not in capsys.readouterr().out


def test_pickle_alone_is_refused(sources: Sources, out: Path) -> None:
    sources.checkpoint.write_bytes(pickle.dumps({"model": {}}))
    expect_refusal(sources, out, str(sources.checkpoint))


def test_pytorch_s_old_form_says_how_to_save_it_again(sources: Sources, out: Path) -> None:
    content = torch.load(sources.checkpoint, weights_only=True)
    torch.save(content, sources.checkpoint, _use_new_zipfile_serialization=False)
    with pytest.raises(WeightsError) as caught:
        imported(sources, out)
    subprocess.run([sys.executable, "-c", str(caught.value).rpartition('python -c "')[2].removesuffix('"')], check=True)
    imported(sources, out)


def damage(path: Path, at: int, bytes_: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(bytes_)


@pytest.mark.parametrize("name", ["llama-hf/pytorch_model-00002-of-00003.bin", "eva_vit_g.pth", "pretrained_minigpt4.pth"])
def test_a_changed_byte_is_found_by_the_archives_own_sum(name: str, sources: Sources, out: Path) -> None:
    path = sources.llama.parent / name
    stored = next(tensor for tensor in open_weights(path).values() if len(tensor.shape) > 1)
    damage(path, stored.offset + 8, bytes(2))
    with pytest.raises(WeightsError, match="is damaged: the bytes of") as caught:
        imported(sources, out)
    assert str(path) in str(caught.value)


def test_a_storage_that_tensors_share_is_proven_whole(tmp_path: Path) -> None:
    path = tmp_path / "shared.bin"
    whole = torch.randn(8, 8)
    torch.save({"a": whole[:4], "b": whole[4:]}, path)
    damage(path, open_weights(path)["b"].offset, b"damage")
    with pytest.raises(WeightsError, match="damaged"):
        open_weights(path)["a"].read()


def test_a_file_saved_without_sums_is_read(tmp_path: Path) -> None:
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"a": torch.ones(3, 3)}, tmp_path / "a.bin")
    finally:
        torch.serialization.set_crc32_options(before)
    assert torch.equal(open_weights(tmp_path / "a.bin")["a"].read(), torch.ones(3, 3))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("form", ["a.bin", "a.safetensors"])
def test_numbers_that_are_not_finite_are_found(value: float, form: str, tmp_path: Path) -> None:
    tensor = torch.zeros(4, 4, dtype=torch.float16)
    tensor[1, 2] = value
    (save_file if form.endswith("safetensors") else torch.save)({"a": tensor}, tmp_path / form)
    with pytest.raises(WeightsError, match="not finite"):
        open_weights(tmp_path / form)["a"].read()


def test_a_hole_in_the_middle_of_a_matrix_is_found(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    tensors = {name: torch.ones(1024, 1024) for name in ("layer.weight", "embed_tokens.weight")}
    tensors["padded.weight"] = torch.cat((torch.ones(512, 1024), torch.zeros(512, 1024)))
    save_file(tensors, path)
    for stored in open_weights(path).values():
        stored.read()
    for name in ("layer.weight", "embed_tokens.weight"):
        damage(path, open_weights(path)[name].offset + 1_000_000, bytes(1 << 20))
    open_weights(path)["embed_tokens.weight"].read()  # rows of words that nobody uses
    with pytest.raises(WeightsError, match=r"hole of zeros at byte .* in layer\.weight"):
        open_weights(path)["layer.weight"].read()


def test_what_aria2_has_not_finished_is_told(sources: Sources, out: Path) -> None:
    sources.checkpoint.with_name(f"{sources.checkpoint.name}.aria2").touch()
    expect_refusal(sources, out, str(sources.checkpoint), "aria2")


def test_the_prefix_of_distributed_training_is_taken_off(sources: Sources, out: Path) -> None:
    content = torch.load(sources.checkpoint, weights_only=True)
    torch.save({"model": {f"module.{name}": tensor for name, tensor in content["model"].items()}}, sources.checkpoint)
    imported(sources, out)
