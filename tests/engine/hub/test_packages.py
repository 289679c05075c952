"""Fetching packages through the real pip, from a folder of small wheels instead of a network."""

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import DownloadError
from engine.hub.packages import Package, Registry, fetch

METADATA = "Metadata-Version: 2.1\nName: tiny-part\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def build_wheel(folder: Path) -> Package:
    path = folder / "tiny_part-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny_part/weights.bin", bytes(range(256)) * 64)
        archive.writestr("tiny_part-1.0.dist-info/METADATA", METADATA)
        archive.writestr("tiny_part-1.0.dist-info/WHEEL", WHEEL)
        archive.writestr("tiny_part-1.0.dist-info/RECORD", "")
    data = path.read_bytes()
    return Package("pip", "tiny-part", "1.0", path.name, hashlib.sha256(data).hexdigest(), len(data))


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for its only source."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_pip_fetches_the_pinned_file_with_the_users_settings(shelf: Path, tmp_path: Path) -> None:
    package = build_wheel(shelf)
    told: list[tuple[str, int, int]] = []
    path = fetch(package, tmp_path / "downloads", progress=lambda *step: told.append(step))
    assert path.read_bytes() == (shelf / package.filename).read_bytes()
    assert told[0] == ("tiny-part 1.0", 0, package.size), "the size is said before"
    assert told[-1] == ("tiny-part 1.0", package.size, package.size)
    assert list((tmp_path / "downloads").iterdir()) == [path], "nothing partial stays behind"


def test_a_verified_file_is_not_fetched_again(shelf: Path, tmp_path: Path) -> None:
    package = build_wheel(shelf)
    fetch(package, tmp_path)
    (shelf / package.filename).unlink()
    assert fetch(package, tmp_path).is_file()


def test_a_damaged_earlier_download_is_fetched_again(shelf: Path, tmp_path: Path) -> None:
    package = build_wheel(shelf)
    (tmp_path / package.filename).write_bytes(b"half a whe")
    assert fetch(package, tmp_path).stat().st_size == package.size


def test_a_wrong_sha256_is_refused_and_not_kept(shelf: Path, tmp_path: Path) -> None:
    package = replace(build_wheel(shelf), sha256="0" * 64)
    with pytest.raises(DownloadError, match=r"not the file that was pinned \(sha256 [0-9a-f]{64}\).*--from"):
        fetch(package, tmp_path / "downloads")
    assert not list((tmp_path / "downloads").iterdir())


def test_a_truncated_file_names_both_sizes(tmp_path: Path) -> None:
    package = build_wheel(tmp_path)
    whole = tmp_path / package.filename
    whole.write_bytes(whole.read_bytes()[:1000])
    with pytest.raises(DownloadError, match=f"truncated .*1000 of {package.size} bytes"):
        fetch(package, tmp_path / "downloads", source=tmp_path)


def test_offline_the_file_comes_from_the_named_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = build_wheel(tmp_path)
    monkeypatch.setenv("PATH", "")
    assert fetch(package, tmp_path / "downloads", source=tmp_path).stat().st_size == package.size


def test_offline_a_missing_file_is_named_with_its_folder(tmp_path: Path) -> None:
    package = build_wheel(tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DownloadError, match=f"{empty} has no {package.filename}.*{package.sha256}"):
        fetch(package, tmp_path / "downloads", source=empty)


def test_without_a_network_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = build_wheel(tmp_path)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(DownloadError, match=r"pip could not fetch tiny-part 1\.0: the registry can't be reached\. ERROR: .*--from"):
        fetch(package, tmp_path / "downloads")


@pytest.mark.parametrize(("registry", "client"), [("npm", "npm"), ("apt", "apt-get")])
def test_a_missing_client_is_named(registry: Registry, client: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = replace(build_wheel(tmp_path), registry=registry)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DownloadError, match=f"there is no {client} here"):
        fetch(package, tmp_path / "downloads")
