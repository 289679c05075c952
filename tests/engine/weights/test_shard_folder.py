"""A disk that can't be written, fills up, or is too small: said before or kept for the next try."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from engine.atomic_write import PART
from engine.errors import ModelError
from engine.models.card_reader import read_card
from engine.models.llama.config import LlamaConfig
from engine.weights import shard_folder, shards
from engine.weights.importing import Sources
from engine.weights.merging import LAST_NORM, language_shapes
from engine.weights.shards import Conversion, write_shard
from tests.engine.weights.release_files import (
    GOLDEN,
    edit_json,
    expect_refusal,
    golden_sources,
    imported,
    write_sparse,
)


@pytest.mark.parametrize("blocker", ["file", "folder"])
def test_out_where_nothing_can_be_made(blocker: str, sources: Sources, out: Path) -> None:
    if blocker == "file":
        out.write_text("precious")
        out = out / "model"
    else:
        (out.parent / ".out.lock").mkdir()
    with pytest.raises(ModelError, match="can't be made"):
        imported(sources, out)


def test_a_disk_that_fills_up_on_the_way_keeps_what_is_whole(sources: Sources, out: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, before[1]))  # the language model's shard fits, the vision encoder's does not
    try:
        expect_refusal(sources, out, "can't be made", "free space")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    (whole,) = (out.parent / ".out.partial").glob("*.safetensors")
    written = whole.stat().st_mtime_ns
    imported(sources, out)
    assert (out / whole.name).stat().st_mtime_ns == written


def test_not_enough_disk(sources: Sources, out: Path) -> None:
    """The files claim 6.6 TB (they are sparse); nothing is written."""
    config = replace(LlamaConfig.read(sources.llama / "config.json"), intermediate_size=1 << 33)
    for path in sources.llama.glob("pytorch_model*"):
        path.unlink()
    edit_json(sources.llama / "config.json", intermediate_size=config.intermediate_size)
    write_sparse(sources.llama / "pytorch_model.bin", language_shapes(config), LAST_NORM)
    expect_refusal(replace(sources, delta=None), out, "The weights need 6597.1 GB", "--out")


def language(folder: Path) -> dict[str, torch.Tensor]:
    return {name: tensor for path in folder.glob("language-*.safetensors") for name, tensor in load_file(path).items()}


SHARD_BYTES = 210_000
COMMAND = f"""
import sys, time
from pathlib import Path
from engine.weights import shards
from engine.weights import shard_folder
from engine.weights.importing import import_model
from tests.engine.weights.release_files import golden_sources
shards.SHARD_BYTES = {SHARD_BYTES}
write = shard_folder.write_shard
def slowly(path, conversions, advance):
    write(path, conversions, advance)
    print(path.name, flush=True)
    time.sleep(600)
shard_folder.write_shard = slowly
import_model(golden_sources("v0"), Path(sys.argv[1]), "none", lambda written, total: None)
"""


def test_an_import_killed_midway_continues_and_is_never_taken_for_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    with subprocess.Popen([sys.executable, "-c", COMMAND, str(out)], stdout=subprocess.PIPE, text=True) as child:
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
    written: list[str] = []

    def noted(path: Path, conversions: Sequence[Conversion], advance: Callable[[int], None]) -> None:
        written.append(path.name)
        write_shard(path, conversions, advance)

    monkeypatch.setattr(shards, "SHARD_BYTES", SHARD_BYTES)
    monkeypatch.setattr(shard_folder, "write_shard", noted)
    imported(golden_sources("v0"), out)
    assert written
    assert first not in written
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


@pytest.mark.parametrize("content", [b"", b"{", b"\xff"])
def test_a_note_of_the_interrupted_import_that_is_damaged(content: bytes, tmp_path: Path) -> None:
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / "import.json").write_bytes(content)
    imported(golden_sources("v0"), tmp_path / "out")


def test_a_disk_that_is_full_before_the_first_weight(sources: Sources, out: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))  # not even the tokenizer fits
    try:
        expect_refusal(sources, out, "can't be made", "free space")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
