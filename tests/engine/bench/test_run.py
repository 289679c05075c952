"""The bench on a model small enough for a test: real engines, real peers, no judgement of their speed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from rich.console import Console

from engine.bench.chart import check_matplotlib, draw_chart
from engine.bench.choose_contenders import contender_choices, rows_needed, scenarios
from engine.bench.gander_contender import GanderContender
from engine.bench.picture_contenders import WholeCompiledContender, WholeContender
from engine.bench.picture_shapes import SHAPES, qwen3_vl
from engine.bench.random_picture_model import processor_of, random_picture_model
from engine.bench.report import Report
from engine.bench.run import Bench
from engine.bench.table import heading, remarks, table
from engine.bench.transformers_contenders import quiet_transformers
from engine.bench.workload import crowd, draw, opening
from engine.layers.modes import Quantization
from engine.models.llama.config import LlamaConfig
from tests.engine.tiny import TinyModel, tiny_card

CPU = torch.device("cpu")


TOKENS = 8


ALL = ("one", "streams", "beams", "encode", "turns")


def load_tiny(mode: Quantization) -> TinyModel:
    """Quantised in name only: what is compared are contenders, not weights."""
    return TinyModel(tiny_card().model_copy(update={"quantization": mode}))


@pytest.fixture(scope="module")
def report() -> Report:
    quiet_transformers()
    bench = Bench(load_tiny, CPU, scenarios(ALL, [3], 2, 200, TOKENS, CPU), rounds=1, tokens=TOKENS)
    *_, last = bench.run(contender_choices(["none", "int8"], rows_needed(ALL, [3], 2), TOKENS))
    return last


OURS, PLAIN, COMPILED, CONTINUOUS, INT8 = "gander fp32", "generate fp32", "static + compile fp32", "continuous batching fp32", "gander int8"


UNABLE = {
    "1 stream": {COMPILED, CONTINUOUS},
    "first token, new picture": {COMPILED, CONTINUOUS},
    "first token, follow-up": {COMPILED, CONTINUOUS},
    "3 streams": {COMPILED},
    "2 beams": {COMPILED, CONTINUOUS},
    "encode a picture": {PLAIN, COMPILED, CONTINUOUS},
    "encode 8 pictures": {PLAIN, COMPILED, CONTINUOUS},
    "memory after 20 turns": {PLAIN, COMPILED, CONTINUOUS},
    "memory after 200 turns": {PLAIN, COMPILED, CONTINUOUS},
}


def test_our_exact_engine_writes_what_transformers_writes(report: Report) -> None:
    assert (report.reference, report.same_answers) == (PLAIN, (2, 2))


def test_who_can_has_a_figure_a_round_and_who_can_not_a_reason(report: Report) -> None:
    assert report.contenders == [OURS, PLAIN, COMPILED, CONTINUOUS, INT8]
    assert report.rows == list(UNABLE)
    refused = [found for found in report.findings if "--tokens" not in found.reason]  # a model so small can be too quick to tell
    assert {row: {found.contender for found in refused if found.row == row and found.reason} for row in report.rows} == UNABLE
    for found in report.findings:
        assert bool(found.values) is not bool(found.reason)
        assert len(found.values) <= 1
        assert all(value > 0 for value in found.values)


def test_ratios_are_of_rounds_side_by_side(report: Report) -> None:
    rounds = {OURS: (40.0, 10.0, 60.0), PLAIN: (10.0, 5.0, 10.0)}
    made = [
        found.model_copy(update={"values": rounds[found.contender]})
        for found in report.findings
        if found.row == "1 stream" and found.contender in rounds
    ]
    busy = report.model_copy(update={"findings": tuple(made)})
    assert {found.contender: busy.times_reference(found) for found in made} == {OURS: 4.0, PLAIN: None}


def test_json_has_all_and_reads_back(report: Report) -> None:
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_people_see_machine_figures_reasons_and_doubts(report: Report) -> None:
    console = Console(record=True, width=200)
    busy = report.model_copy(update={"machine": report.machine.model_copy(update={"load": 7.0})})
    with console.capture() as shown:
        console.print(heading(busy), table(busy), *remarks(busy), sep="\n")
    for said in (report.machine.processor, "3 streams, tokens/s", "takes no pictures", "In 2 of 2 rounds", "busy (load 7.0)"):
        assert said in shown.get()


def test_the_picture_is_a_picture(report: Report, tmp_path: Path) -> None:
    check_matplotlib()
    draw_chart(report, tmp_path / "chart.png")
    with Image.open(tmp_path / "chart.png") as image:
        assert image.size == (960, 600)
        assert len(set(image.convert("RGB").get_flattened_data())) > 10


def test_a_random_picture_model_answers_as_transformers_whole_model_does() -> None:
    """With pictures of its own, which M-RoPE and deepstack hang on, and several people at once."""
    eye = {"depth": 2, "hidden_size": 32, "intermediate_size": 32, "num_heads": 2, "deepstack_visual_indexes": [0]}
    shape = qwen3_vl(64, 64, 2, 8, True, eye)
    text = shape.config.get_text_config()
    text.vocab_size, text.head_dim, text.num_key_value_heads = 400, 16, 2
    text.rope_parameters["mrope_section"] = [4, 2, 2]
    model = random_picture_model("random-tiny", shape, CPU, torch.float32, "none")
    for parameter in model.language_model.parameters():
        parameter.data *= 6 if parameter.ndim > 1 else 1  # so that the likeliest token leads clearly
    ours, whole, compiled = GanderContender(model, 2, 2000), WholeContender(model), WholeCompiledContender(model)
    assert ours.answer(opening(1), TOKENS).text == whole.answer(opening(1), TOKENS).text
    people = crowd(2, 3)
    assert ours.chat(people, TOKENS) == [model.tokenizer.decode(ids) for ids in whole.generate(people, TOKENS).tolist()]
    assert compiled.generate(people[:1], TOKENS).tolist() == whole.generate(people[:1], TOKENS).tolist()


@pytest.mark.parametrize("name", SHAPES)
def test_the_shapes_are_what_transformers_can_make(name: str) -> None:
    shape = SHAPES[name]()
    assert processor_of(shape)(text=shape.placeholder, images=[draw(1).image], return_tensors="pt")["input_ids"].shape[1] > 60
    assert LlamaConfig.from_json(shape.config.get_text_config().to_dict()).head_dim in (64, 128)
