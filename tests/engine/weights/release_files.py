"""The golden folders as arguments, and copies of them to damage."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch._subclasses import FakeTensorMode
from torch.serialization import skip_data

from engine.errors import ModelError
from engine.layers.modes import Quantization
from engine.models.card import Card
from engine.weights.importing import Sources, import_model
from engine.weights.stored_tensors import open_weights, raw_bytes

GOLDEN = Path(__file__).parent.parent / "golden"
VERSIONS = ("v0", "v1")


def golden_sources(version: str, root: Path | None = None) -> Sources:
    folder = root or GOLDEN / f"tiny-{version}"
    return Sources(
        llama=folder / "llama-hf",
        delta=folder / f"vicuna-delta-{version}",
        vit=folder / "eva_vit_g.pth",
        blip2=folder / "blip2_pretrained_flant5xxl.pth",
        checkpoint=folder / "pretrained_minigpt4.pth",
        architecture=folder / "architecture.json",
    )


def copied_sources(tmp_path: Path, version: str = "v0") -> Sources:
    """The same files in a folder of the test's own."""
    return golden_sources(version, Path(shutil.copytree(GOLDEN / f"tiny-{version}", tmp_path / "files")))


def merged_vicuna(folder: Path, version: str, merged_as: str = "safetensors") -> Path:
    """The release's merged language model, as a folder of a hub's."""
    expected = load_file(GOLDEN / f"tiny-{version}" / "expected_vicuna.safetensors")
    folder.mkdir()
    for path in (GOLDEN / f"tiny-{version}" / f"vicuna-delta-{version}").glob("[!p]*"):
        shutil.copy(path, folder)
    if merged_as == "safetensors":
        save_file(expected, folder / "model.safetensors")
    else:
        torch.save(expected, folder / "pytorch_model.bin")
    return folder


def quiet(written: int, total: int) -> None:
    """Nobody watches the progress."""


def imported(sources: Sources, out: Path, quantization: Quantization = "none") -> Card:
    return import_model(sources, out, quantization, quiet)


def edit_json(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def edit_tensors(path: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    """Rewrites a pickled state dict, or the one under `model`."""
    content = torch.load(path, weights_only=True)
    change(content.get("model", content))
    torch.save(content, path)


def write_sparse(path: Path, shapes: Mapping[str, tuple[int, ...]], ones: str = "") -> None:
    """A pickled fp16 state dict of any size that takes no room on the disk: all of its weights but `ones` are holes, so zeros."""
    with FakeTensorMode(), skip_data(materialize_fake_tensors=True):
        torch.save({name: torch.empty(shape, dtype=torch.float16) for name, shape in shapes.items()}, path)
    if ones:
        stored = open_weights(path)[ones]
        with path.open("r+b") as file:
            file.seek(stored.offset)
            file.write(raw_bytes(torch.ones(stored.shape, dtype=stored.dtype)))


def expect_refusal(sources: Sources, out: Path, *words: str) -> None:
    """The import is refused in a sentence that has all `words`, and leaves nothing behind."""
    with pytest.raises(ModelError) as caught:
        imported(sources, out)
    for word in words:
        assert word in str(caught.value)
    assert not out.exists()
