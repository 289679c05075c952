"""The bench on a model small enough for a test: real engines, real peers, no judgement of their speed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console
from typer.testing import CliRunner

from engine.__main__ import app
from engine.bench.contenders import OurEngine, Timing
from engine.bench.machine import this_machine
from engine.bench.measure import compete
from engine.bench.oracle import as_transformers
from engine.bench.report import Report, heading, remarks, table
from engine.bench.run import run
from engine.bench.workload import draw
from engine.generation import Turn
from engine.models.card import Quantization
from tests.engine.tiny import CONFIG, TinyModel, tiny_card, tiny_language

TOKENS = 5


def load_tiny(mode: Quantization) -> TinyModel:
    """Quantised in name only: what is compared are contenders, not weights."""
    return TinyModel(tiny_card().model_copy(update={"quantization": mode}))


@pytest.fixture(scope="module")
def report() -> Report:
    return run(load_tiny, ["q4_1", "int8"], rounds=2, tokens=TOKENS)


def test_our_exact_engine_writes_what_transformers_writes(report: Report) -> None:
    assert (report.same_answers, report.rounds) == (2, 2)


def test_each_contender_has_its_figures(report: Report) -> None:
    assert [found.name for found in report.contenders] == ["gander q4_1", "gander int8", "gander fp32", "transformers fp32"]
    for found in report.contenders:
        assert 0 < found.slowest <= found.tokens_per_second <= found.fastest
        assert found.new_picture_seconds > 0
        assert found.follow_up_seconds > 0
    assert report.contenders[-1].times_reference == 1


def test_json_has_all_and_reads_back(report: Report) -> None:
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_people_see_machine_figures_and_doubts(report: Report) -> None:
    console = Console(record=True, width=200)
    busy = report.model_copy(update={"machine": report.machine.model_copy(update={"load": 7.0})})
    with console.capture() as shown:
        console.print(heading(busy), table(busy), *remarks(busy), sep="\n")
    assert report.machine.processor in shown.get()
    assert re.search(r"transformers fp32 .* 1\.00 × ", shown.get())
    assert "busy (load 7.0)" in shown.get()


@pytest.mark.parametrize(("load", "busy"), [(None, False), (0.1, False), (3.0, True)])
def test_a_machine_with_other_work_is_busy(load: float | None, busy: bool) -> None:
    assert this_machine().model_copy(update={"load": load}).is_busy is busy


class Noted(OurEngine):
    """Writes its name down for every question."""

    def __init__(self, name: str, asked: list[str]) -> None:
        super().__init__(TinyModel())
        self.name, self.asked = name, asked

    def answer(self, turns: Sequence[Turn], tokens: int) -> Timing:
        self.asked.append(self.name)
        return super().answer(turns, tokens)


def test_all_take_turns_and_every_other_round_backwards() -> None:
    asked: list[str] = []
    held = compete([Noted("one", asked), Noted("two", asked)], rounds=2, tokens=2)
    assert {name: len(talks) for name, talks in held.items()} == {"one": 2, "two": 2}
    assert asked == ["one", "one", "two", "two", "two", "two", "one", "one"]  # a question and its follow-up each


@torch.no_grad()
def test_branches_and_fused_matrices_reach_transformers() -> None:
    language = tiny_language(config=replace(CONFIG, num_hidden_layers=3))
    for lora in language.add_lora(rank=2, alpha=3.0):
        lora.b.normal_()
    ids = torch.arange(20)[None]
    ours = language.logits(language(language.embed(ids), ids, gate=torch.ones(1, 1, 1)))
    torch.testing.assert_close(as_transformers(language)(input_ids=ids).logits, ours, rtol=1e-4, atol=1e-3)


def test_every_picture_is_another_one() -> None:
    pictures = [draw(number) for number in range(60)]
    assert len({picture.sha256 for picture in pictures}) == len({picture.image.tobytes() for picture in pictures}) == 60


def test_the_command_writes_its_json(tmp_path: Path, pocket_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANDER_HOME", str(pocket_home))
    file = tmp_path / "figures.json"
    done = CliRunner().invoke(app, ["bench", "--rounds", "1", "--tokens", "4", "--json", str(file)])
    assert done.exit_code == 0, done.output
    assert Report.model_validate_json(file.read_bytes()).model == "pocket"
