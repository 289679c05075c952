"""llama.cpp's own bench as a peer. The program here is a stand-in that prints its lines: nobody fetches llama.cpp for a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.bench.llama_cpp import PROGRAM, find_models, llama_cpp_findings
from engine.errors import StartError

LINES = """#!/bin/sh
echo "$@" >"$0.asked"
case "$2" in *broken*) echo "main: error: unable to load model" >&2; exit 1;; esac
echo 'main: n_kv_max = 9216'
echo '{"n_kv_max": 9216, "pp": 101, "tg": 128, "pl": 1, "n_kv": 229, "t_pp": 0.01, "speed_pp": 10100.0, "t_tg": 0.5, "speed_tg": 256.0}'
echo '{"n_kv_max": 9216, "pp": 101, "tg": 128, "pl": 8, "n_kv": 1832, "t_pp": 0.05, "speed_pp": 16160.0, "t_tg": 1.0, "speed_tg": 1024.0}'
"""


def folder_of(tmp_path: Path, *models: str) -> Path:
    (tmp_path / PROGRAM).write_text(LINES, encoding="utf-8")
    (tmp_path / PROGRAM).chmod(0o755)
    for model in models:
        (tmp_path / model).touch()
    return tmp_path


def test_each_model_is_a_column_with_its_speed_for_one_and_for_many(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "7b-q4_0.gguf", "broken.gguf")
    found = list(llama_cpp_findings(folder, [8], 101, 128, on_gpu=False))
    assert [(each.contender, each.row, each.values) for each in found] == [
        ("llama.cpp 7b-q4_0", "1 stream", (256.0,)),
        ("llama.cpp 7b-q4_0", "8 streams", (1024.0,)),
        ("llama.cpp broken", "1 stream", ()),
        ("llama.cpp broken", "8 streams", ()),
    ]
    assert found[-1].reason == "main: error: unable to load model"
    asked = (folder / f"{PROGRAM}.asked").read_text(encoding="utf-8").split()
    assert asked[asked.index("-npl") + 1] == "1,8"
    assert asked[asked.index("-ngl") + 1] == "0"
    assert int(asked[asked.index("-c") + 1]) >= 8 * (101 + 128)


@pytest.mark.parametrize(("models", "missing"), [(("a.gguf",), PROGRAM), ((), "gguf")])
def test_a_folder_without_the_program_or_a_model_is_refused(tmp_path: Path, models: tuple[str, ...], missing: str) -> None:
    folder = folder_of(tmp_path, *models)
    if models:
        (folder / PROGRAM).unlink()
    with pytest.raises(StartError, match=missing):
        find_models(folder)
