"""`gander evaluate MODEL DATA` from end to end, with the real pocket model beside itself with an adapter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.__main__ import app
from engine.commands.evaluate_data import candidates
from engine.weights.peft_format import AdapterConfig, LowRank, write_adapter


@pytest.mark.sweep
def test_an_adapter_is_compared_with_its_model(pocket_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setenv("GANDER_HOME", str(pocket_home))
    data = tmp_path / "rows.jsonl"
    rows = [{"question": "What is the capital of France?", "answer": "The capital of France is Paris."}, {"question": "Why?", "answer": ""}]
    data.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    write_adapter(tmp_path / "loud", AdapterConfig(r=1), {"layers.0.mlp.down_proj": LowRank(torch.ones(1, 1536), torch.ones(576, 1), 1.0)})
    command = ["evaluate", "pocket", str(data), "--adapter", f"loud={tmp_path / 'loud'}", "--json", "--page", str(tmp_path / "page.html")]
    ended = CliRunner().invoke(app, [*command, "--max-tokens", "12"], catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    assert "row 2" in ended.stderr
    found = json.loads(ended.stdout)
    (row,) = found["rows"]
    assert list(found["means"]) == ["pocket:loud", "pocket"]
    assert "Paris" in row["answers"]["pocket"]["text"]
    assert row["answers"]["pocket:loud"]["text"] != row["answers"]["pocket"]["text"]
    assert found["means"]["pocket"]["F1 of words"] > found["means"]["pocket:loud"]["F1 of words"]
    assert "Paris" in (tmp_path / "page.html").read_text("utf-8")


def test_whom_a_model_is_compared_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANDER_HOME", str(tmp_path))
    for name in ("tiny", "other"):
        (tmp_path / "models" / name).mkdir(parents=True)
        (tmp_path / "models" / name / "gander.json").write_text("{}")
    adapter = ("birds", tmp_path)
    assert [list(candidates("tiny", *rest)) for rest in ((None, None), (None, "other"), (adapter, None), (adapter, "other"))] == [
        ["tiny"],
        ["tiny", "other"],
        ["tiny:birds", "tiny"],
        ["tiny:birds", "other"],
    ]
