"""`gander model pull owner/name` against a hub on loopback, by the real client in a real process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from engine.models.card_reader import read_card
from tests.engine.hub.loopback_hub import COMMIT, Hub, running
from tests.engine.models.pretrained.repositories import store
from tests.engine.weights.release_files import golden_sources, imported

SMALL = bytes(range(256))
LARGE = bytes(range(256)) * 100_000  # 26 MB: the client keeps what came in pieces of 10 MB


def pull(home: Path, url: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if "proxy" not in name.lower() and not name.startswith("HF_")}
    command = [sys.executable, "-m", "engine", "model", "pull", *arguments]
    settings = clean | {"GANDER_HOME": str(home), "HF_ENDPOINT": url} | environment
    return subprocess.run(command, env=settings, capture_output=True, text=True, timeout=100, check=False)


def test_a_repository_comes_whole_and_is_not_fetched_twice(tmp_path: Path) -> None:
    with running(Hub({"config.json": b"{}", "weights/model.bin": SMALL})) as hub:
        first = pull(tmp_path, hub.url, "gander/tiny")
        folder = tmp_path / "downloads" / "gander--tiny"
        assert first.returncode == 0, first.stderr
        assert str(folder) in first.stdout
        assert (folder / "weights" / "model.bin").read_bytes() == SMALL
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
        ("gander/tiny", "GatedRepo", ("HF_TOKEN", "give that folder instead")),
        ("gander/other", "", ("has no gander/other", "HF_TOKEN")),
        ("not a/repository", "", ("no model 'not a/repository'", "model list --all")),
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


def test_models_that_can_not_be_written_are_named_before_anything_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file stands where the folder should be")
    with running(Hub({})) as hub:
        done = pull(tmp_path, hub.url, "gander/tiny")
        assert hub.requests == []
    assert done.returncode != 0
    assert f"{tmp_path / 'models'} can't be written" in done.stderr


def test_an_unknown_name_is_no_repository(tmp_path: Path) -> None:
    done = pull(tmp_path, "http://127.0.0.1:9", "pockett")
    assert done.returncode != 0
    assert "There is no model 'pockett'" in done.stderr
    assert "owner/name" in done.stderr


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A tiny LLaVA, with the same weights in another form beside it as repositories have them."""
    folder = store("llava", tmp_path_factory.mktemp("llava")).folder
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    return files | {"pytorch_model.bin": b"the same again", "onnx/model.onnx": b"and again", "README.md": b"# Tiny"}


def test_a_picture_model_is_fetched_into_the_hubs_cache_and_answers(tmp_path: Path, repository: dict[str, bytes]) -> None:
    cache = tmp_path / "cache"
    with running(Hub(repository, parameters=100_000)) as hub:
        done = pull(tmp_path, hub.url, "gander/tiny", HF_HUB_CACHE=str(cache))
        assert done.returncode == 0, done.stderr
        fetched = {path.rpartition("/")[2] for method, path, _ in hub.requests if method == "GET" and "/resolve/" in path}
        hub.requests.clear()
        assert "files are here already" in pull(tmp_path, hub.url, "gander/tiny", HF_HUB_CACHE=str(cache)).stdout
        assert not [path for method, path, _ in hub.requests if method == "GET" and "/resolve/" in path]
    assert f"gander/tiny at {COMMIT[:10]}, by gander, licence: apache-2.0." in done.stdout
    assert "To fetch: " in done.stdout
    assert re.search(r"it runs in \w+", done.stdout)
    assert "dry-run" not in done.stderr
    assert "model.safetensors" in fetched
    assert not fetched & {"pytorch_model.bin", "model.onnx", "README.md"}
    link = tmp_path / "models" / "tiny"
    assert link.is_symlink()
    assert link.resolve().is_relative_to(cache)
    assert (read_card(link).name, read_card(link).architecture) == ("tiny", "llava")
    listed = engine(tmp_path, "list").stdout
    assert "tiny" in listed
    assert "llava" in listed
    removed = engine(tmp_path, "remove", "gander/tiny", "--yes", HF_HUB_CACHE=str(cache))
    assert removed.returncode == 0, removed.stderr
    assert not link.is_symlink()
    assert not list(cache.rglob("model.safetensors"))


def test_a_kind_that_is_not_computed_is_refused_before_its_weights_come(tmp_path: Path) -> None:
    config = json.dumps({"model_type": "marvel", "vision_config": {}}).encode()
    with running(Hub({"config.json": config, "model.safetensors": LARGE})) as hub:
        done = pull(tmp_path, hub.url, "gander/tiny", HF_HUB_CACHE=str(tmp_path / "cache"))
        assert not [path for _, path, _ in hub.requests if "safetensors" in path]
    assert done.returncode != 0
    assert "gander/tiny is a model of type 'marvel'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_repository_of_gguf_files_is_refused_before_a_byte_of_them_comes(tmp_path: Path) -> None:
    with running(Hub({"model-Q4_K_M.gguf": LARGE, "mmproj.gguf": LARGE, "README.md": b"quantised"})) as hub:
        done = pull(tmp_path, hub.url, "gander/tiny")
        assert not [path for _, path, _ in hub.requests if "gguf" in path]
    assert done.returncode != 0
    assert "gander/tiny is in GGUF" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_catalogue_is_listed(tmp_path: Path) -> None:
    assert "HuggingFaceTB/SmolVLM-256M-Instruct" in engine(tmp_path, "list", "--all").stdout


def engine(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = os.environ | {"GANDER_HOME": str(home), "COLUMNS": "200"} | environment
    command = [sys.executable, "-m", "engine", "model", *arguments]
    return subprocess.run(command, env=settings, capture_output=True, text=True, timeout=100, check=False)
