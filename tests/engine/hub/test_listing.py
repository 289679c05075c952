"""What a hub sends is held to what it said before; faults of hubs, of networks and of disks are sentences. The real client, on loopback."""

from __future__ import annotations

import hashlib
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from engine.errors import DownloadError
from engine.hub import download as downloads
from engine.hub.listing import look_up
from engine.hub.names import Wanted
from engine.hub.pull import pull_repository
from tests.engine.hub.loopback_hub import COMMIT, Hub, running

WEIGHTS = bytes(range(256)) * 8_000  # 2 MB
TINY = Wanted("gander/tiny")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with running(Hub({"model.bin": WEIGHTS, "small.txt": b"small"})) as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        yield hub


def test_the_sums_that_a_hub_states_are_proven(hub: Hub) -> None:
    found = look_up(TINY)
    assert found.sums == {"model.bin": (len(WEIGHTS), hashlib.sha256(WEIGHTS).hexdigest())}
    assert (found.fetch() / "model.bin").read_bytes() == WEIGHTS


def test_a_file_that_comes_otherwise_is_removed_and_named(hub: Hub) -> None:
    hub.stored = {"model.bin": b"?" + WEIGHTS[1:]}
    with pytest.raises(DownloadError, match="came damaged"):
        look_up(TINY).fetch()
    hub.stored = {}
    assert (look_up(TINY).fetch() / "model.bin").read_bytes() == WEIGHTS


def test_a_redirection_to_another_server_is_followed(hub: Hub) -> None:
    hub.redirect = True
    assert (look_up(TINY).fetch() / "model.bin").read_bytes() == WEIGHTS
    assert any(path.startswith("/elsewhere") for _, path, _ in hub.requests)


def test_a_token_goes_to_the_hub_and_not_to_where_its_files_lie(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with running(Hub(hub.files)) as store:
        hub.redirect, hub.elsewhere = True, store.url
        assert (look_up(TINY).fetch() / "model.bin").read_bytes() == WEIGHTS
    assert set(hub.tokens) == {"Bearer hf_secret"}
    assert {path.rpartition("/")[2] for method, path, _ in store.requests if method == "GET"} == set(hub.files)
    assert set(store.tokens) == {""}


def test_a_size_that_is_not_kept_is_said_and_the_next_try_begins_anew(hub: Hub, tmp_path: Path) -> None:
    hub.stored = {"model.bin": WEIGHTS + b"more"}
    with pytest.raises(DownloadError, match="bytes instead of 2,048,000"):
        look_up(TINY).fetch()
    assert not list(tmp_path.rglob("*.gander-part"))
    hub.stored = {}
    assert (look_up(TINY).fetch() / "model.bin").read_bytes() == WEIGHTS


def test_what_came_before_a_kill_is_not_fetched_again(hub: Hub, tmp_path: Path) -> None:
    found = look_up(TINY)
    begun = tmp_path / "cache" / "models--gander--tiny" / "blobs" / f"{found.sums['model.bin'].sha256}.gander-part"
    begun.parent.mkdir(parents=True)
    begun.write_bytes(WEIGHTS[:500_000])
    assert (found.fetch() / "model.bin").read_bytes() == WEIGHTS
    assert [asked for method, path, asked in hub.requests if method == "GET" and path.endswith("model.bin")] == ["bytes=500000-"]


@pytest.mark.parametrize("after", [1_000, 1_000_000])
def test_a_connection_that_breaks_is_taken_up_where_it_broke(after: int, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(downloads, "PIECE", 500)
    hub.break_after = after
    assert (look_up(TINY).fetch() / "model.bin").read_bytes() == WEIGHTS
    assert f"bytes={after}-" in {asked for _, path, asked in hub.requests if path.endswith("model.bin")}


def test_a_full_disk_is_said_and_what_is_here_is_kept(hub: Hub, tmp_path: Path) -> None:
    found = look_up(TINY)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        with pytest.raises(DownloadError, match="The disk is full"):
            found.fetch()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert any(path.stat().st_size > 500_000 for path in tmp_path.rglob("*.gander-part"))


@pytest.mark.parametrize("revision", [COMMIT, COMMIT[:7]])
def test_a_commit_is_pinned_by_its_first_digits(revision: str, hub: Hub) -> None:
    assert look_up(Wanted("gander/tiny", revision)).commit == COMMIT


def test_a_hub_that_gives_another_commit_is_not_believed(hub: Hub) -> None:
    with pytest.raises(DownloadError, match=f"gave its commit {COMMIT}"):
        look_up(Wanted("gander/tiny", "a" * 40))


def test_a_revision_that_is_gone_is_said(hub: Hub) -> None:
    hub.refusal = "RevisionNotFound"
    with pytest.raises(DownloadError, match="no such revision"):
        look_up(Wanted("gander/tiny", "v9"))


def test_without_the_hub_what_is_in_its_cache_is_taken(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "is_offline_mode", lambda: True)
    with pytest.raises(DownloadError, match="HF_HUB_OFFLINE"):
        pull_repository(TINY, tmp_path)
    assert not hub.requests
