"""A tiny MiniGPT-4 of random weights as a ready folder, and a few coloured pictures to train it on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from engine.weights.importing import import_model
from tests.engine.weights.release_files import golden_sources, quiet

COLOURS = ("red", "green", "blue", "white", "black", "yellow")


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base") / "tiny"
    import_model(golden_sources("v0"), folder, "none", quiet)
    return folder


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pictures with a question each, the first with two."""
    folder = tmp_path_factory.mktemp("data")
    rows: list[dict[str, object]] = []
    for colour in COLOURS:
        Image.new("RGB", (16, 16), colour).save(folder / f"{colour}.png")
        rows.append({"image": f"{colour}.png", "question": "Which colour?", "answer": f"It is {colour}."})
    turns = [("human", "Which colour?"), ("gpt", "It is red."), ("human", "Sure?"), ("gpt", "Yes.")]
    rows[0] = {"image": "red.png", "conversations": [{"from": who, "value": said} for who, said in turns]}
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder / "rows.jsonl"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANDER_HOME", str(tmp_path))
