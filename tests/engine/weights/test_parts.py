"""Whatever MiniGPT-4's files are called, `gander model import FOLDER` knows them by what is in them."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.commands.model import app
from engine.errors import ModelError
from engine.models.card_reader import read_card
from engine.weights.importing import Sources
from engine.weights.parts import sources_in
from tests.engine.weights.release_files import copied_sources, merged_vicuna


@pytest.fixture
def odd(sources: Sources) -> Path:
    """The release's files under names that say nothing, some of them deeper."""
    folder = sources.llama.parent
    (folder / "pretrained_minigpt4.pth").rename(folder / "checkpoint_3.pth")
    (folder / "deep").mkdir()
    (folder / "eva_vit_g.pth").rename(folder / "deep" / "download(1).pth")
    (folder / "vicuna-delta-v0").rename(folder / "weights")
    return folder


def test_parts_are_known_by_what_is_in_them(odd: Path) -> None:
    found = sources_in(odd)
    assert (found.checkpoint.name, found.vit, found.delta) == ("checkpoint_3.pth", odd / "deep" / "download(1).pth", odd / "weights")
    assert found.llama.name == "llama-hf"


def test_merged_vicuna_goes_before_llama_and_a_delta(odd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.weights.parts.V0_WORDS", 601)
    merged = merged_vicuna(odd / "vicuna", "v0")
    assert (sources_in(odd).llama, sources_in(odd).delta) == (merged, None)


def test_what_is_missing_and_what_is_damaged_is_said(odd: Path) -> None:
    (odd / "checkpoint_3.pth").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(ModelError, match="holds no pretrained_minigpt4_7b") as caught:
        sources_in(odd)
    assert "checkpoint_3.pth is truncated" in str(caught.value)
    assert "--from" in str(caught.value)


def test_two_of_a_part_are_a_question(odd: Path) -> None:
    shutil.copy(odd / "checkpoint_3.pth", odd / "another.pth")
    with pytest.raises(ModelError, match="either could be meant"):
        sources_in(odd)


def test_the_command_makes_a_model_of_a_folder_and_of_an_archive(tmp_path: Path) -> None:
    """Google Drive gives a folder's files as a zip archive."""
    sources = copied_sources(tmp_path)
    with zipfile.ZipFile(tmp_path / "drive.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(sources.checkpoint, "minigpt4/pretrained.pth")
    sources.checkpoint.unlink()
    named = [f"--{part}={getattr(sources, part)}" for part in ("llama", "delta", "vit", "blip2", "architecture")]
    command = ["import", *named, f"--checkpoint={tmp_path / 'drive.zip'}"]
    done = CliRunner(env={"GANDER_HOME": str(tmp_path)}).invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert read_card(tmp_path / "models" / "minigpt4").architecture == "minigpt4"
    assert not list(tmp_path.rglob("*.unpacked"))


def test_without_a_folder_the_options_are_asked_for(tmp_path: Path) -> None:
    refused = CliRunner(env={"GANDER_HOME": str(tmp_path), "COLUMNS": "200"}).invoke(app, ["import", "--blip2", str(tmp_path)])
    assert refused.exit_code == 2
    assert "--llama, --checkpoint" in refused.output
