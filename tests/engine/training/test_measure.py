"""A bridge is measured on every scene and every answer, and what was wrong is listed."""

from __future__ import annotations

import json
from pathlib import Path

from accelerate import Accelerator
from safetensors.torch import save_file

from engine.models.pocket.bridge import Bridge
from engine.training.measure import measure_language, measure_vision
from engine.training.run import FrozenParts, add_adapters


def test_every_scene_and_every_answer_counts_once(parts: FrozenParts, data: Path, tmp_path: Path) -> None:
    accelerator, bridge = Accelerator(cpu=True), Bridge(parts.language.config.hidden_size).eval()
    figures = measure_vision(parts, bridge, data, accelerator, batch=5)
    assert figures["kind"][1] == figures["background"][1] == 12
    assert all(0 <= share <= 1 for share, _ in figures.values())
    save_file(bridge.state_dict(), tmp_path / "look.safetensors")
    save_file(add_adapters(parts.language, 0).state_dict(), tmp_path / "speak.safetensors")
    share, answers, wrong = measure_language(parts, tmp_path, data, accelerator, failures=10_000)
    talks = [json.loads(line)[1] for line in (data / "chats.jsonl").read_text(encoding="utf-8").splitlines()]
    assert answers == sum(map(len, talks))
    assert len(wrong) == answers - round(share * answers)
