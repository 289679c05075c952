"""The bench on a model small enough for a test: real engines, real peers, no judgement of their speed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from engine.__main__ import app
from engine.bench.chart import check_matplotlib, draw_chart
from engine.bench.choose_contenders import contender_choices, rows_needed, scenarios
from engine.bench.compete import compete
from engine.bench.contender import Contender, UnableError
from engine.bench.gander_contender import GanderContender
from engine.bench.machine import this_machine
from engine.bench.models import random_model
from engine.bench.picture_contenders import WholeCompiledContender, WholeContender
from engine.bench.picture_shapes import SHAPES, qwen3_vl
from engine.bench.random_picture_model import processor_of, random_picture_model
from engine.bench.report import Report
from engine.bench.roofline import Roofline, step_bytes
from engine.bench.run import Bench
from engine.bench.scenarios import OnePerson, rate
from engine.bench.table import heading, remarks, table
from engine.bench.transformers_contenders import CompiledContender, TransformersContender, quiet_transformers
from engine.bench.transformers_model import as_transformers
from engine.bench.word_tokenizer import WordTokenizer
from engine.bench.workload import crowd, draw, opening
from engine.layers.modes import Quantization
from engine.models.llama.config import LlamaConfig
from engine.models.minigpt4.config import Architecture, QFormerSizes, VisionSizes
from tests.engine.tiny import CONFIG, TinyModel, tiny_card, tiny_language

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


@pytest.mark.parametrize(("load", "busy"), [(None, False), (0.1, False), (3.0, True)])
def test_a_machine_with_other_work_is_busy(load: float | None, busy: bool) -> None:
    assert this_machine(CPU).model_copy(update={"load": load}).is_busy is busy


def test_all_take_turns_and_every_other_round_backwards() -> None:
    asked: list[tuple[str, int]] = []

    class Noting(OnePerson):
        def measure(self, contender: Contender, number: int) -> Sequence[float]:
            asked.append((contender.name, number))
            if (contender.name, number) == ("three", 0):
                raise UnableError("not today")
            return (float(number),)

    contenders = [GanderContender(TinyModel(), 1, 300) for _ in range(3)]
    for contender, name in zip(contenders, ("one", "two", "three"), strict=True):
        contender.name = name
    scores = compete(Noting(2), contenders, rounds=2)
    assert asked == [("three", 0), ("two", 0), ("one", 0), ("one", 1), ("two", 1), ("two", 2), ("one", 2)]
    assert [(score.rounds, score.reason) for score in scores] == [([(1.0,), (2.0,)], "")] * 2 + [([], "not today")]


def test_an_answer_cut_by_the_context_window_gives_no_figure() -> None:
    ours = GanderContender(TinyModel(tiny_card(context_length=260)), 1, 300)
    with pytest.raises(UnableError, match="not 150"):
        ours.answer(opening(1), 150)


def test_a_difference_that_noise_hides_is_no_figure() -> None:
    with pytest.raises(UnableError, match="--tokens"):
        rate(lambda tokens: time.sleep(0.05 / tokens), 8)


def test_one_static_cache_serves_every_answer() -> None:
    model = TinyModel()
    plain, compiled = TransformersContender(model), CompiledContender(model)
    for number in (1, 2):
        assert compiled.generate([opening(number)], TOKENS).tolist() == plain.generate([opening(number)], TOKENS).tolist()


@torch.no_grad()
def test_adapters_and_fused_matrices_reach_transformers_without_a_copy() -> None:
    language = tiny_language(config=replace(CONFIG, num_hidden_layers=3))
    part = as_transformers(language).get_parameter("model.layers.1.mlp.up_proj.weight")
    whole = language.get_parameter("model.layers.1.mlp.gate_up_proj.weight")
    assert part.untyped_storage().data_ptr() == whole.untyped_storage().data_ptr()
    for lora in language.add_lora(rank=2, alpha=3.0):
        lora.b.normal_()
    ids = torch.arange(20)[None]
    ours = language.logits(language(language.embed(ids), ids, lora_scale=torch.ones(1, 1, 1)))
    torch.testing.assert_close(as_transformers(language)(input_ids=ids).logits, ours, rtol=1e-4, atol=1e-3)


def test_the_roofline_counts_every_matrix_once_and_each_row_s_cache() -> None:
    language = tiny_language()
    table_of_embeddings = CONFIG.vocab_size * CONFIG.hidden_size
    assert step_bytes(language) == 4 * (sum(parameter.numel() for parameter in language.parameters()) - table_of_embeddings)
    assert Roofline(bandwidth=1000, weights=80, token=2).steps_per_second(rows=4, kept=15) == 5


def test_every_picture_is_another_one() -> None:
    pictures = [draw(number) for number in range(60)]
    assert len({picture.sha256 for picture in pictures}) == len({picture.image.tobytes() for picture in pictures}) == 60


def test_a_random_model_has_the_release_s_form_and_is_the_same_again() -> None:
    vision = VisionSizes(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    sizes = Architecture(
        vision=vision, qformer=QFormerSizes(hidden_size=24, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
    )
    make = partial(random_model, "random-tiny", replace(CONFIG, vocab_size=400), sizes, CPU, torch.float32)
    first, again = (GanderContender(make("none"), 1, 600).answer(opening(1), 5) for _ in range(2))
    assert first.text == again.text
    tokenizer = WordTokenizer(400)
    assert first.tokens == 5
    assert tokenizer.decode(tokenizer.encode("w259 w300 w399")) == "w259 w300 w399"
    assert GanderContender(make("int8"), 1, 600).name == INT8


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


def test_the_command_writes_its_files(tmp_path: Path, pocket_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANDER_HOME", str(pocket_home))
    numbers, picture = tmp_path / "figures.json", tmp_path / "chart.png"
    options = ["--rounds", "1", "--tokens", "4", "--quantize", "int8", "--json", str(numbers), "--png", str(picture)]
    done = CliRunner().invoke(app, ["bench", *options])
    assert done.exit_code == 0, done.output
    assert Report.model_validate_json(numbers.read_bytes()).contenders == [INT8]
    assert picture.stat().st_size > 1000


@pytest.mark.parametrize(
    ("options", "said"), [(["--scenario", "everything"], "one, streams"), (["--scenario", "turns", "--png", "x"], "draw")]
)
def test_the_command_names_what_it_can_not_do(options: list[str], said: str) -> None:
    done = CliRunner().invoke(app, ["bench", *options])
    assert done.exit_code == 2
    assert said in done.output
