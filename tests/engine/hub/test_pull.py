"""`gander model pull owner/name` against a hub on loopback, by the real client in a real process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.hub.loopback_hub import Hub, running
from tests.engine.weights.release_files import golden_sources, imported

LARGE = bytes(range(256)) * 100_000  # 26 MB: the client keeps what came in pieces of 10 MB


def pull(home: Path, url: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if "proxy" not in name.lower() and not name.startswith("HF_")}
    command = [sys.executable, "-m", "engine", "model", "pull", *arguments]
    settings = clean | {"GANDER_HOME": str(home), "HF_ENDPOINT": url, "HF_HUB_DISABLE_XET": "1"} | environment
    return subprocess.run(command, env=settings, capture_output=True, text=True, timeout=100, check=False)


def test_a_repository_comes_whole_and_is_not_fetched_twice(tmp_path: Path) -> None:
    with running(Hub({"config.json": b"{}", "weights/model.bin": LARGE})) as hub:
        first = pull(tmp_path, hub.url, "gander/tiny")
        folder = tmp_path / "downloads" / "gander--tiny"
        assert first.returncode == 0, first.stderr
        assert str(folder) in first.stdout
        assert (folder / "weights" / "model.bin").read_bytes() == LARGE
        hub.requests.clear()
        assert pull(tmp_path, hub.url, "gander/tiny").returncode == 0
        assert not [path for method, path, _ in hub.requests if method == "GET" and "/resolve/" in path]


def test_a_broken_download_continues_where_it_broke(tmp_path: Path) -> None:
    with running(Hub({"model.bin": LARGE}, break_after=15_000_000)) as hub:
        for _ in range(2):  # the client may give up or try again by itself
            pull(tmp_path, hub.url, "gander/tiny")
        assert (tmp_path / "downloads" / "gander--tiny" / "model.bin").read_bytes() == LARGE
        assert any(asked.startswith("bytes=") and asked != "bytes=0-" for _, path, asked in hub.requests if "/resolve/" in path)


def test_a_ready_model_goes_among_the_models(tmp_path: Path) -> None:
    imported(golden_sources("v0"), tmp_path / "made")
    files = {path.name: path.read_bytes() for path in (tmp_path / "made").iterdir()}
    with running(Hub(files)) as hub:
        assert pull(tmp_path, hub.url, "gander/tiny").returncode == 0
        assert {path.name for path in (tmp_path / "models" / "tiny").iterdir()} == set(files)
        again = pull(tmp_path, hub.url, "another/tiny")
    assert again.returncode != 0
    assert "Remove it or rename it" in again.stderr


def test_of_blip2_only_the_files_that_hold_its_eye(tmp_path: Path) -> None:
    weight_map = {"vision_model.a": "model-00001-of-00003.safetensors", "qformer.b": "model-00002-of-00003.safetensors"}
    weight_map["language_model.c"] = "model-00003-of-00003.safetensors"
    files = dict.fromkeys(weight_map.values(), b"weights")
    files["model.safetensors.index.json"] = json.dumps({"weight_map": weight_map}).encode()
    with running(Hub(files)) as hub:
        assert pull(tmp_path, hub.url, "gander/tiny", "--eye-only").returncode == 0
    fetched = {path.name for path in (tmp_path / "downloads" / "gander--tiny").glob("*.safetensors")}
    assert fetched == {"model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors"}


def test_a_proxy_is_used(tmp_path: Path) -> None:
    """The proxy is the hub itself: it sees requests for a host that does not exist."""
    with running(Hub({"config.json": b"{}"})) as hub:
        done = pull(tmp_path, "http://hub.invalid", "gander/tiny", HTTP_PROXY=hub.url)
        assert done.returncode == 0, done.stderr
        assert all(path.startswith("http://hub.invalid/") for _, path, _ in hub.requests)


@pytest.mark.parametrize(
    ("repository", "refusal", "words"),
    [
        ("gander/tiny", "GatedRepo", ("HF_TOKEN", "gander model import")),
        ("gander/other", "", ("has no gander/other", "HF_TOKEN")),
        ("not a/repository", "", ("no repository",)),
    ],
)
def test_what_a_hub_refuses_is_explained(repository: str, refusal: str, words: tuple[str, ...], tmp_path: Path) -> None:
    with running(Hub({}, refusal=refusal)) as hub:
        done = pull(tmp_path, hub.url, repository)
    assert done.returncode != 0
    assert all(word in done.stderr for word in words), done.stderr
    assert "Traceback" not in done.stderr


def test_no_hub_in_reach_says_what_to_do_offline(tmp_path: Path) -> None:
    done = pull(tmp_path, "http://127.0.0.1:9", "gander/tiny")
    assert done.returncode != 0
    assert "can't be reached" in done.stderr
    assert "HF_ENDPOINT" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_name_is_no_repository(tmp_path: Path) -> None:
    done = pull(tmp_path, "http://127.0.0.1:9", "pockett")
    assert done.returncode == 2
    assert "owner/name" in done.stderr
