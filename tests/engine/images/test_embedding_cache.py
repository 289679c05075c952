"""Encoded pictures are kept within bounds, in memory and on disk, and a disk that fails costs time but no answer."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from PIL import Image
from structlog.testing import capture_logs

from engine.core import startup
from engine.core.startup import picture_folder, remove_outdated
from engine.images.decode import Picture
from engine.images.embedding_cache import CRASHED_SECONDS, EmbeddingCache, EmbeddingFolder
from engine.models.base import EncodedPicture
from tests.engine.tiny import TinyModel

ENCODING = EncodedPicture(torch.arange(12.0).view(3, 4), "a red thing", (1, 3), torch.ones(2, 3, 4))
PICTURES = [Picture(Image.new("RGB", (4, 4), (60 * number, 0, 0)), f"{number:064x}") for number in range(4)]


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process may grow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def kept(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.safetensors")}


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    EmbeddingFolder(tmp_path, 1 << 20).write("a", ENCODING)
    found = EmbeddingFolder(tmp_path, 1 << 20).read("a")
    assert found is not None
    assert torch.equal(found.embeddings, ENCODING.embeddings)
    assert (found.words, found.grid) == (ENCODING.words, ENCODING.grid)
    assert found.deepstack is not None
    assert torch.equal(found.deepstack, torch.ones(2, 3, 4))


def test_the_least_recently_used_go_first_also_over_a_restart(tmp_path: Path) -> None:
    EmbeddingFolder(tmp_path, 1 << 20).write("a", ENCODING)
    size = (tmp_path / "a.safetensors").stat().st_size
    disk = EmbeddingFolder(tmp_path, 3 * size)
    disk.write("b", ENCODING)
    disk.write("c", ENCODING)
    assert disk.read("a")
    disk.write("d", ENCODING)
    assert kept(tmp_path) == {"a", "c", "d"}
    os.utime(tmp_path / "c.safetensors", (2e9, 2e9))  # the last one that anybody met
    os.utime(tmp_path / "a.safetensors", (1e9, 1e9))
    EmbeddingFolder(tmp_path, 3 * size).write("e", ENCODING)
    assert kept(tmp_path) == {"c", "d", "e"}


def test_memory_holds_no_more_than_the_bound() -> None:
    model = TinyModel()
    cache = EmbeddingCache(model, bound=2)
    for picture in (*PICTURES[:3], PICTURES[1]):
        cache.encode([picture])
    assert (list(cache.encoded), model.encoded) == ([PICTURES[2].sha256, PICTURES[1].sha256], 3)
    assert len(cache.encode(PICTURES)) == 4  # one request may show more
    assert len(cache.encoded) == 2


def test_what_overflows_is_left_out(tmp_path: Path) -> None:
    model, broken = TinyModel(), torch.tensor([[torch.nan, torch.inf, 1.0]])
    with patch.object(model, "encode", lambda pictures: [EncodedPicture(broken)]):
        (kept,) = EmbeddingCache(model, tmp_path).encode(PICTURES[:1]).values()
    found = EmbeddingFolder(tmp_path, 1 << 20).read(PICTURES[0].sha256)
    assert found
    assert kept.embeddings.tolist() == found.embeddings.tolist() == [[0, 0, 1]]


def test_a_folder_that_is_removed_comes_back(tmp_path: Path) -> None:
    disk = EmbeddingFolder(tmp_path / "pictures", 1 << 20)
    disk.write("a", ENCODING)
    shutil.rmtree(tmp_path / "pictures")
    assert disk.read("a") is None
    disk.write("a", ENCODING)
    assert disk.read("a")
    assert not disk.failed


@pytest.mark.parametrize("limit", [0, 1 << 20])
def test_engines_that_share_a_folder_do_each_other_no_harm(limit: int, tmp_path: Path) -> None:
    first, second = EmbeddingFolder(tmp_path, limit), EmbeddingFolder(tmp_path, limit)
    for disk in (first, second, first):
        disk.write("a", ENCODING)
    assert (first.failed, second.failed) == (False, False)
    assert (first.read("a") is not None, second.read("a") is not None) == (limit > 0, limit > 0)


def test_one_engine_finds_what_another_encoded(tmp_path: Path) -> None:
    first, second = TinyModel(), TinyModel()
    caches = [EmbeddingCache(model, tmp_path) for model in (first, second)]
    for cache in caches:
        cache.encode(PICTURES)
    assert (first.encoded, second.encoded) == (4, 0)


def test_a_full_disk_is_said_once_and_pictures_are_encoded(tmp_path: Path) -> None:
    cache = EmbeddingCache(TinyModel(), tmp_path)
    with full_disk(), capture_logs() as lines:
        assert len(cache.encode(PICTURES)) == 4
    assert [line["event"] for line in lines] == ["encoded pictures are not kept on disk"]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with capture_logs() as lines:
        cache = EmbeddingCache(TinyModel(), tmp_path / "file" / "pictures")
        assert len(cache.encode(PICTURES)) == 4
    assert len(lines) == 1


def test_a_damaged_file_is_encoded_again(tmp_path: Path) -> None:
    EmbeddingCache(TinyModel(), tmp_path).encode(PICTURES[:1])
    (found,) = tmp_path.iterdir()
    found.write_bytes(found.read_bytes()[:-9])
    model = TinyModel()
    assert EmbeddingCache(model, tmp_path).encode(PICTURES[:1])
    assert model.encoded == 1
    assert EmbeddingFolder(tmp_path, 1 << 20).read(PICTURES[0].sha256)


def test_what_a_crash_left_half_written_goes_at_the_start(tmp_path: Path) -> None:
    crashed, under_way = tmp_path / "a.1.part", tmp_path / "b.2.part"
    for part in (crashed, under_way):
        part.touch()
    os.utime(crashed, (crashed.stat().st_mtime - 2 * CRASHED_SECONDS,) * 2)
    EmbeddingFolder(tmp_path, 1 << 20)
    assert list(tmp_path.iterdir()) == [under_way]  # another engine may be writing it


def test_pictures_of_an_earlier_gander_are_encoded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, ours = tmp_path / "pocket", tmp_path / "ours"
    for folder in (model, ours):
        folder.mkdir()
    (ours / "bridge.safetensors").write_bytes(b"old")
    monkeypatch.setattr(startup, "ENCODERS", (ours,))
    former = picture_folder(tmp_path, model)
    assert picture_folder(tmp_path, model) == former
    (ours / "bridge.safetensors").write_bytes(b"newer")
    assert picture_folder(tmp_path, model) != former


def test_pictures_of_an_earlier_import_go(tmp_path: Path) -> None:
    model, root = tmp_path / "pocket", tmp_path / "pictures"
    model.mkdir()
    (model / "gander.json").write_text("{}")
    former = picture_folder(root, model)
    (model / "gander.json").write_text('{"name": "pocket"}')
    others = [picture_folder(root, model), root / "pocket-mine", root / f"pocket-large-{'0' * 16}"]
    for folder in (former, *others):
        folder.mkdir(parents=True)
        (folder / "a.safetensors").touch()
    remove_outdated(root, model)
    assert sorted(root.iterdir()) == sorted(others)
