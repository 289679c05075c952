"""What the figures of docs/how-it-works.md are made of, as one fingerprint: when it changes, they are to be made anew."""

from __future__ import annotations

import hashlib
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "how"
RECORD = FOLDER / "inputs.sha256"
MADE_OF = (
    "bot/samples/shapes.png",
    "bot/insight/map_sheet.py",
    "engine/explain/attention_recorder.py",
    "engine/explain/explanation.py",
    "engine/explain/language_maps.py",
    "engine/models/pocket/qformer.py",
    "engine/weights/pocket/bridge.safetensors",
    "tests/figures",
)


def fingerprint() -> str:
    digest = hashlib.sha256()
    for name in MADE_OF:
        path = ROOT / name
        for file in sorted(path.rglob("*.py")) if path.is_dir() else (path,):
            digest.update(file.relative_to(ROOT).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
