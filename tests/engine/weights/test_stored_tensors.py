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
    expect_refusal(sources, out, str(sources.checkpoint), "plain tensors")
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
