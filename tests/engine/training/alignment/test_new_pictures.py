"""Proof that training learns: five made-up emblems from 200 pictures, on a CPU, with the pocket model's real weights.

`gander train` makes the adapter, an engine serves it beside its base, and both are asked over HTTP about pictures that no training saw.
What the base knew is replayed as its own answers to other pictures of shapes. `make sweep`, or this file alone with `-m sweep -s`, which
prints the numbers; it takes some minutes of two cores.
"""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from random import Random
from resource import RUSAGE_CHILDREN, getrusage

import pytest
import torch
from PIL import Image

from engine.evaluation.cases import Case
from engine.evaluation.held_out import HeldOut
from engine.evaluation.suites.shapes import descriptions, positions
from engine.training.alignment.batches import collate
from engine.training.alignment.dataset import Example, StoredPicture
from engine.training.alignment.objective import run
from engine.training.alignment.opening import open_base
from engine.training.alignment.parts import AdapterOptions, train_parts
from engine.training.alignment.templates import RowWriter
from engine.weights.adapters import attach
from engine.weights.loader import load
from engine.weights.peft_format import read_adapter
from tests.engine.training.alignment.emblems import EMBLEMS, emblems

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(3600)]
PICTURES, REPLAYED = 200, 80
NAMED, KNOWN = 60, 50  # questions that judge, about pictures that no training saw
STEPS, BATCH, RATE, LAYERS = 160, 8, 2e-3, 8
Asked = tuple[Image.Image, str]


def shapes(count: int, seed: int, folder: Path) -> list[Case]:
    """Where shapes stand, and what all is in a picture; of both kinds as many."""
    drawn = HeldOut(folder, None, lambda *told: None)
    return [case for build in (positions, descriptions) for case in islice(build(drawn, Random(f"{seed}")), count // 2)]


@contextmanager
def served(home: Path, *arguments: str) -> Iterator[str]:
    """The address of an engine of its own process."""
    command = [sys.executable, "-m", "engine", "engine", "--model", "pocket", "--port", "0", "--device", "cpu", *arguments]
    with subprocess.Popen(command, env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        told = process.stdout.readline()
        assert "listens on" in told
        try:
            yield ready(told.split("listens on ")[1].split()[0])
        finally:
            process.kill()


def ready(address: str) -> str:
    """Waits until the model is loaded."""
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        with suppress(urllib.error.HTTPError), urllib.request.urlopen(f"{address.removesuffix('/v1')}/health") as response:  # noqa: S310
            if json.load(response)["status"] == "ready":
                return address
        time.sleep(0.2)
    raise TimeoutError(address)


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "GANDER_HOME": str(home), "CUDA_VISIBLE_DEVICES": "", "NO_COLOR": "1"}


def answers(address: str, model: str, asked: Sequence[Asked]) -> list[str]:
    def ask(question: Asked) -> str:
        return answer(address, model, *question)

    with ThreadPoolExecutor(8) as several:
        return list(several.map(ask, asked))


def answer(address: str, model: str, picture: Image.Image, question: str) -> str:
    stored = io.BytesIO()
    picture.save(stored, "PNG")
    shown = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64.b64encode(stored.getvalue()).decode()}"}}
    content = [shown, {"type": "text", "text": question}]
    body = {"model": model, "temperature": 0, "messages": [{"role": "user", "content": content}]}
    request = urllib.request.Request(  # noqa: S310  # our own engine's address
        f"{address}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=600) as response:  # noqa: S310
        return str(json.load(response)["choices"][0]["message"]["content"])


def write_data(folder: Path, rows: Sequence[tuple[Image.Image, str, str]]) -> Path:
    folder.mkdir()
    lines = []
    for at, (picture, question, said) in enumerate(rows):
        picture.save(folder / f"{at}.png")
        lines.append(json.dumps({"image": f"{at}.png", "question": question, "answer": said}))
    (folder / "rows.jsonl").write_text("\n".join(lines), "utf-8")
    return folder


def questions(cases: Sequence[Case]) -> list[Asked]:
    return [(case.picture, case.checks[0].question) for case in cases if case.picture is not None]


def right(cases: Sequence[Case], said: Sequence[str]) -> float:
    return sum(case.checks[0].judge.accepts(answer) for case, answer in zip(cases, said, strict=True)) / len(cases)


def named(said: Sequence[str], wanted: Sequence[str]) -> float:
    return sum(name_in(answer) == name_in(right) for answer, right in zip(said, wanted, strict=True)) / len(wanted)


def name_in(said: str) -> tuple[str, ...]:
    """All names in an answer: one that says two knows neither."""
    return tuple(name for name in EMBLEMS if name.lower() in said.lower())


def train(home: Path, data: Path, out: Path) -> str:
    """By the command; → what it took."""
    fixed = ["--train", "lora", "--layers", str(LAYERS), "--steps", str(STEPS), "--batch", str(BATCH), "--rate", str(RATE)]
    command = [sys.executable, "-m", "engine", "train", str(data), "--base", "pocket", "--out", str(out), *fixed]
    begun, before = time.monotonic(), getrusage(RUSAGE_CHILDREN)
    done = subprocess.run(
        [*command, "--warm-up", "8", "--held-out", "0", "--show", "0"], env=environment(home), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    used = getrusage(RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return f"{done.stdout}\n{STEPS} steps of {BATCH} in {time.monotonic() - begun:.0f} s ({cpu:.0f} s of CPU)"


def test_new_emblems_are_named_and_what_was_known_is_kept(pocket_home: Path, tmp_path: Path) -> None:
    old, judged, shown = shapes(REPLAYED, 1, tmp_path), shapes(KNOWN, 2, tmp_path), list(emblems(NAMED, seed=2))
    asked, wanted = [(picture, question) for picture, question, _ in shown], [answer for _, _, answer in shown]
    with served(pocket_home) as address:
        own, before = (answers(address, "pocket", questions(cases)) for cases in (old, judged))
        unknown = named(answers(address, "pocket", asked), wanted)
    replayed = [(*question, answer) for question, answer in zip(questions(old), own, strict=True)]
    data = write_data(tmp_path / "data", [*emblems(PICTURES, seed=1), *replayed])
    pace = train(pocket_home, data, tmp_path / "out")
    with served(pocket_home, "--adapter", f"emblems={tmp_path / 'out' / 'adapter'}") as address:
        after, found = answers(address, "pocket:emblems", questions(judged)), answers(address, "pocket:emblems", asked)
        beside = answers(address, "pocket", questions(judged))
    sys.stdout.write(
        f"\n{pace}: named {named(found, wanted):.3f} (before {unknown:.3f}); knew {right(judged, before):.3f}, knows "
        f"{right(judged, after):.3f}\n"
    )
    assert unknown == 0
    assert named(found, wanted) >= 0.95
    assert right(judged, after) >= right(judged, before) - 0.02
    assert beside == before  # the base is served as ever
    check_logits(pocket_home, tmp_path / "out" / "adapter", shown[0])


def check_logits(home: Path, adapter: Path, row: tuple[Image.Image, str, str]) -> None:
    """The exported adapter beside the base gives what the graph gave that trained it."""
    picture, question, said = row
    base = home / "models" / "pocket"
    trained = train_parts(open_base(str(base), torch.device("cpu"), "fp32")[0], ["lora"], AdapterOptions(layers=LAYERS))
    exported = read_adapter(adapter)
    for layer in trained.language_parts[0].module.children():
        for part in layer.targets:  # type: ignore[union-attr]  # a TrainedLora
            a, b = layer.pair(part)  # type: ignore[operator]
            with torch.no_grad():
                a.copy_(exported.modules[part].a)
                b.copy_(exported.modules[part].b)
    features = trained.connector.freeze([picture])
    example = Example(0, "emblems", (StoredPicture(Path("0.png")),), ((question, said),))
    batch = collate([RowWriter(trained.model, 2, 160).write(example, features)], features, torch.device("cpu"))
    served_model = load(base, torch.device("cpu"), exact=True)
    language = served_model.language_model
    attach(language, "emblems", exported)
    scale = torch.tensor(language.lora_scales("emblems", True))[None, None]
    with torch.no_grad():
        expected = trained.model.language_model.logits(run(trained, batch))
        embedded = language.embed(batch.ids).flatten(0, 1).index_copy(0, batch.soft, served_model.encode([picture])[0].embeddings)
        found = language.logits(language(embedded[None], batch.positions, lora_scale=scale))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
