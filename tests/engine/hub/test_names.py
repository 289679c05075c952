"""What people call models is understood, and what names none is not taken for one."""

from __future__ import annotations

import pytest

from engine.errors import DownloadError
from engine.hub.names import Wanted, catalogue, wanted

SMOL = "HuggingFaceTB/SmolVLM-256M-Instruct"


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("smolvlm-256m", Wanted(SMOL, None, "smolvlm-256m")),
        (SMOL, Wanted(SMOL)),
        (f"{SMOL}@refs/pr/3", Wanted(SMOL, "refs/pr/3")),
        (f"https://hub.example/{SMOL}", Wanted(SMOL)),
        (f"https://hub.example/{SMOL}/tree/main", Wanted(SMOL, "main")),
        (f"https://hub.example/{SMOL}/blob/v1/config.json?download=true", Wanted(SMOL, "v1")),
        (f"https://hub.example/{SMOL}/resolve/main/model.safetensors?download=true", Wanted(SMOL, "main")),
        (f"https://hub.example/{SMOL}#usage", Wanted(SMOL)),
        (f"https://hub.example/{SMOL}.git", Wanted(SMOL)),
        ("nonsense", None),
        ("/home/ann/model", None),
        ("./model", None),
        ("a/b/c", None),
    ],
)
def test_a_name(said: str, meant: Wanted | None) -> None:
    assert wanted(said) == meant


def test_a_space_is_named_with_what_it_is() -> None:
    meant = Wanted("Vision-CAIR/minigpt4", None, kind="space")
    assert wanted("https://hub.example/spaces/Vision-CAIR/minigpt4") == meant
    assert wanted("spaces/Vision-CAIR/minigpt4") == meant


def test_a_page_that_is_no_model_is_named() -> None:
    with pytest.raises(DownloadError, match="data set's"):
        wanted("https://hub.example/datasets/ann/pictures")


def test_an_option_says_the_revision() -> None:
    assert wanted("smolvlm-256m", "v2") == Wanted(SMOL, "v2", "smolvlm-256m")


def test_every_entry_names_a_repository() -> None:
    assert catalogue()
    assert all(wanted(entry.repository) == Wanted(entry.repository) for entry in catalogue().values())


def test_an_entry_may_pin_its_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = catalogue()["smolvlm-256m"].model_copy(update={"commit": "0abeb88"})
    monkeypatch.setitem(catalogue(), "smolvlm-256m", entry)
    assert wanted("smolvlm-256m") == Wanted(SMOL, "0abeb88", "smolvlm-256m")
    assert wanted("smolvlm-256m", "main") == Wanted(SMOL, "main", "smolvlm-256m")
