"""MiniGPT-4 by one command: tiny parts of the release's form come from a hub and a server on loopback, and what is made of them answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants

from engine.errors import DownloadError, ModelError
from engine.evaluation.comparison import Comparison
from engine.hub.minigpt4 import PublicPart, Role, public_parts, pull_minigpt4
from engine.images.decode import Limits, decode_picture
from engine.weights.loader import load
from tests.engine.hub.loopback_hub import COMMIT, Hub, running
from tests.engine.weights.release_files import GOLDEN, merged_vicuna

TINY = GOLDEN / "tiny-v0"
FILES: Mapping[Role, str] = {
    "projection": "pretrained_minigpt4.pth",
    "qformer": "blip2_pretrained_flant5xxl.pth",
    "eye": "eva_vit_g.pth",
}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    vicuna = merged_vicuna(tmp_path / "vicuna", "v0", "bin")
    files = {path.name: path.read_bytes() for path in (*vicuna.iterdir(), *(TINY / name for name in FILES.values()))}
    with running(Hub(files)) as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # as `gander` does for a mirror
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        yield hub


@pytest.fixture
def sizes(tmp_path: Path) -> Path:
    """A folder with what says the tiny model's sizes, and nothing else."""
    folder = tmp_path / "sizes"
    folder.mkdir()
    (folder / "architecture.json").write_bytes((TINY / "architecture.json").read_bytes())
    return folder


def parts(hub: Hub) -> dict[Role, PublicPart]:
    """As `minigpt4_parts.toml` has them: two at a hub, two at an address."""

    def part(role: Role, **where: str) -> PublicPart:
        data = (TINY / FILES[role]).read_bytes()
        return PublicPart.model_validate(
            {"name": role, "licence": "none", "bytes": len(data), "sha256": [hashlib.sha256(data).hexdigest()], **where}
        )

    return {
        "language": PublicPart(name="Vicuna", licence="research only", bytes=1, repository="gander/tiny", commit=COMMIT[:7]),
        "projection": part("projection", repository="spaces/gander/tiny", file=FILES["projection"]),
        "qformer": part("qformer", url=f"{hub.url}/gander/tiny/resolve/{COMMIT}/{FILES['qformer']}"),
        "eye": part("eye", url=f"{hub.url}/gone/eva_vit_g.pth", repository="gander/tiny", file=FILES["eye"]),
    }


def pulled(
    hub: Hub, home: Path, sizes: Path, given: Mapping[Role, str] | None = None, changed: Mapping[Role, PublicPart] | None = None
) -> tuple[Path, list[str]]:
    told: list[str] = []

    def ask(words: Sequence[str], size: int, folder: Path) -> None:
        told.extend((*words, str(size)))

    known = {**parts(hub), **(changed or {})}
    return pull_minigpt4("minigpt4-7b", home, ask, lambda written, total: None, given, sizes, known), told


def expected() -> dict[str, Any]:
    turn: dict[str, Any] = json.loads((TINY / "expected.json").read_text())["one_image"]["turns"][0]
    return turn


def test_from_public_parts_to_the_releases_answer(hub: Hub, tmp_path: Path, sizes: Path) -> None:
    """The eye's address is gone: its copy at the hub takes its place."""
    folder, told = pulled(hub, tmp_path, sizes)
    assert folder == tmp_path / "models" / "minigpt4-7b"
    picture = decode_picture((TINY / "a.png").read_bytes(), Limits())
    answer = Comparison(load(folder, torch.device("cpu"), exact=True), [picture]).ask(expected()["question"], None)
    assert answer.greedy_token_ids == expected()["greedy_token_ids"]
    assert any("research only" in words for words in told)
    assert any(COMMIT[:10] in words for words in told)
    hub.requests.clear()
    assert pulled(hub, tmp_path, sizes)[0] == folder
    assert not hub.requests


def test_each_source_can_be_replaced_and_what_is_here_is_not_fetched(hub: Hub, tmp_path: Path, sizes: Path) -> None:
    given: dict[Role, str] = {
        "language": str(tmp_path / "vicuna"),
        "projection": "gander/tiny",
        "qformer": str(TINY / FILES["qformer"]),
        "eye": f"{hub.url}/mirror/gander/tiny/{FILES['eye']}",
    }
    folder, told = pulled(hub, tmp_path, sizes, given)
    assert sum("which is here" in words for words in told) == 2
    fetched = {path.rpartition("/")[2] for method, path, _ in hub.requests if method == "GET" and path.endswith(".pth")}
    assert fetched == {FILES["projection"], FILES["eye"]}
    assert (folder / "gander.json").exists()


def test_another_file_than_the_releases_is_refused_before_it_comes(hub: Hub, tmp_path: Path, sizes: Path) -> None:
    other = parts(hub)["projection"].model_copy(update={"sha256": ("0" * 64,)})
    with pytest.raises(DownloadError, match="has another file than MiniGPT-4's"):
        pulled(hub, tmp_path, sizes, changed={"projection": other})
    assert not [path for method, path, _ in hub.requests if method == "GET" and "/resolve/" in path]


def test_a_damaged_file_from_an_address_without_a_copy_is_named(hub: Hub, tmp_path: Path, sizes: Path) -> None:
    hub.stored = {FILES["qformer"]: b"not it"}
    with pytest.raises(DownloadError, match="came damaged"):
        pulled(hub, tmp_path, sizes)


def test_a_place_that_is_none_is_named(hub: Hub, tmp_path: Path, sizes: Path) -> None:
    with pytest.raises(ModelError, match="--part eye=/nowhere/at/all"):
        pulled(hub, tmp_path, sizes, {"eye": "/nowhere/at/all"})


@pytest.mark.parametrize("name", ["minigpt4-llama2-7b", "minigpt-v2-7b"])
def test_what_a_browser_alone_can_fetch_is_said_before_anything_is_asked(name: str, hub: Hub, tmp_path: Path) -> None:
    """Of the successors: no Q-Former, a language model that is gated, and a checkpoint on Google Drive."""
    known = public_parts(name)
    assert set(known) == {"language", "projection", "eye"}
    assert "gated" in known["language"].licence
    with pytest.raises(DownloadError, match=r"drive\.google\.com.*--part projection=FILE"):
        pull_minigpt4(name, tmp_path, lambda *_: None, lambda written, total: None)
    assert not hub.requests


@pytest.mark.parametrize("name", ["minigpt4-7b", "minigpt4-13b"])
def test_every_part_of_the_release_is_pinned(name: str) -> None:
    known = public_parts(name)
    assert set(known) == {"language", *FILES}
    assert all(part.sha256 or part.commit for part in known.values())
