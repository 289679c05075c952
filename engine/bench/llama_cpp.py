"""llama.cpp beside ours: its own batched bench, run from a folder with its programs and with the models to measure."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.bench.report import Finding, Report
from engine.errors import StartError

PROGRAM = "llama-batched-bench"
SPARE = 32  # tokens of a row's context beyond what is asked for
ALL_LAYERS = 999


def find_models(folder: Path) -> list[Path]:
    """The GGUF files in the folder. Raises StartError if there are none, or if the program is not there."""
    models = sorted(folder.glob("*.gguf"))
    if not os.access(folder / PROGRAM, os.X_OK):
        raise StartError(f"{folder / PROGRAM} is no program. Give the folder into which llama.cpp was built (build/bin).")
    if not models:
        raise StartError(f"{folder} has no *.gguf. Put the models there that llama.cpp is to be measured with.")
    return models


def beside_llama_cpp(report: Report, folder: Path, crowds: Sequence[int], *, on_gpu: bool) -> Report:
    """The report with llama.cpp's columns: each model in the folder, after prompts and for answers of the report's length."""
    others = llama_cpp_findings(folder, crowds, report.prompt_tokens, report.tokens, on_gpu=on_gpu)
    return report.model_copy(update={"findings": (*report.findings, *others)})


def llama_cpp_findings(folder: Path, crowds: Sequence[int], prompt: int, tokens: int, *, on_gpu: bool) -> Iterator[Finding]:
    """For each model tokens/s of one stream and of each number in `crowds`, after prompts of `prompt` tokens of each stream's own."""
    for model in find_models(folder):
        people = (1, *crowds)
        found, reason = measure(folder / PROGRAM, model, people, prompt, tokens, on_gpu=on_gpu)
        for count in people:
            values = (found[count],) if count in found else ()
            row = "1 stream" if count == 1 else f"{count} streams"
            yield Finding(
                row=row, unit="tokens/s", people=count, beams=1, contender=f"llama.cpp {model.stem}", values=values, reason=reason
            )


def measure(program: Path, model: Path, people: Sequence[int], prompt: int, tokens: int, *, on_gpu: bool) -> tuple[dict[int, float], str]:
    """Tokens/s by the streams at once, and why some are missing."""
    context = max(people) * (prompt + tokens + SPARE)
    sizes = ["-c", context, "-npp", prompt, "-ntg", tokens, "-npl", ",".join(map(str, people)), "-ngl", ALL_LAYERS if on_gpu else 0]
    command = [str(program), "-m", str(model), *map(str, sizes), "--output-format", "jsonl"]
    if not on_gpu:
        command += ["-t", str(os.cpu_count() or 1)]
    ran = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    rows = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    found = {row["pl"]: float(row["speed_tg"]) for row in rows}
    said = next(reversed(ran.stderr.strip().splitlines()), f"ended with {ran.returncode}")
    return found, "" if len(found) == len(people) else said
