"""Training on a tiny MiniGPT-4: the numbers are a plain reference's, a killed run goes on to the same, and what comes out is served."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM
from typer.testing import CliRunner

from engine.commands.train import app
from engine.errors import DataError
from engine.models.minigpt4.minigpt4 import MiniGPT4
from engine.training.alignment.batches import Order
from engine.training.alignment.checkpoint import Checkpoint, RunState
from engine.training.alignment.dataset import BadRow, Dataset, check_pictures
from engine.training.alignment.formats.reading import read_rows
from engine.training.alignment.loop import Trainer
from engine.training.alignment.opening import open_accelerator, open_base
from engine.training.alignment.parts import AdapterOptions, PartName, TrainedModel, train_parts
from engine.training.alignment.recipe import RunSettings, settings_of
from engine.training.alignment.rows import Split
from engine.training.alignment.run import RunOptions, row_source, train_model
from engine.training.alignment.templates import SOFT
from engine.training.alignment.watch import NO_TENSORBOARD, Watch
from engine.weights.loader import load

CPU = torch.device("cpu")


class Quiet:
    """Watches nothing; with `killed_at` it dies where a killed process would."""

    def __init__(self, killed_at: int | None = None) -> None:
        self.killed_at = killed_at

    def begins(self, state: RunState) -> None: ...

    def stepped(self, state: RunState) -> None:
        if self.killed_at is not None and state.step >= self.killed_at:
            raise KeyboardInterrupt

    def evaluated(self, state: RunState) -> None: ...


def settings(**changed: object) -> RunSettings:
    plain = settings_of("tiny", 2, ("projection",), "fp32", steps=7, batch=4, rate=1e-2, warm_up=1, held_out=0.2)
    return replace(plain, **changed)  # type: ignore[arg-type]  # mypy takes no **kwargs of mixed types


def opened(base: Path, parts: Sequence[PartName] = ("projection",)) -> TrainedModel:
    return train_parts(open_base(str(base), CPU, "fp32")[0], parts, AdapterOptions())


def rows_of(data: Path) -> Dataset:
    return check_pictures(read_rows([data]))


def trainer(base: Path, data: Path, folder: Path, watcher: Quiet, run: RunSettings | None = None, save_every: int = 3) -> Trainer:
    run, trained, accelerator, dataset = run or settings(), opened(base), open_accelerator("fp32", cpu=True), rows_of(data)
    split = Split.draw(dataset.examples, run.held_out, run.seed)
    source = row_source(trained, split, run, RunOptions(folder), accelerator)
    checkpoint = Checkpoint(folder / "checkpoint.pt", run, len(dataset))
    return Trainer(trained, split, source, run, checkpoint, accelerator, watcher, save_every=save_every, evaluate_every=4, micro=3)


@pytest.mark.parametrize("part", ["projection", "qformer"])
def test_losses_and_gradients_are_a_plain_references(part: PartName, base: Path, data: Path, tmp_path: Path) -> None:
    trained, run = opened(base, [part]), settings(parts=(part,))
    model = trained.model
    assert isinstance(model, MiniGPT4)
    dataset = rows_of(data)
    split = Split.draw(dataset.examples, 0, 0)
    source = row_source(trained, split, run, RunOptions(tmp_path), open_accelerator("fp32", cpu=True))
    batch = source.batch(split.trained)
    assert batch is not None
    from engine.training.alignment.objective import summed_loss

    loss = summed_loss(trained, batch)
    loss.backward()
    config = model.language_model.config
    reference = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=config.vocab_size, hidden_size=config.hidden_size, intermediate_size=config.intermediate_size,
            num_hidden_layers=config.num_hidden_layers, num_attention_heads=config.num_attention_heads,
            num_key_value_heads=config.num_key_value_heads, rms_norm_eps=config.rms_norm_eps,
        )
    )  # fmt: skip
    reference.load_state_dict(load_file(next(base.glob("language*.safetensors"))), strict=False)
    reference.float().requires_grad_(False)
    encoder = model.vision_encoder.requires_grad_(True)
    expected = torch.zeros(())
    for example in split.trained:
        row = source.written[example]
        [picture] = [shared.open() for shared in example.pictures]
        from engine.models.minigpt4.minigpt4 import as_bytes, normalise

        soft = encoder(normalise(as_bytes(model.prepare([picture]))))[0]
        ids = torch.tensor(row.ids)
        embedded = reference.get_input_embeddings()(ids.clamp(min=0)).clone()
        embedded[ids == SOFT] = soft
        logits = reference(inputs_embeds=embedded[None]).logits[0]
        labels = torch.where(torch.tensor(row.learned), ids, -100)
        expected = expected + cross_entropy(logits[:-1], labels[1:], ignore_index=-100, reduction="sum")
    expected.backward()
    torch.testing.assert_close(loss, expected)
    gradients = dict(trained.modules["connector"].named_parameters())
    theirs = dict(encoder.named_parameters())
    assert len(gradients) >= 2
    for name, parameter in gradients.items():
        torch.testing.assert_close(parameter.grad, theirs[name].grad, rtol=1e-4, atol=1e-5)
    assert all(parameter.grad is None for parameter in model.language_model.parameters())


def test_a_killed_run_goes_on_to_the_same_losses(base: Path, data: Path, tmp_path: Path) -> None:
    whole = trainer(base, data, tmp_path / "whole", Quiet())
    expected = whole.run()
    assert expected.step == 7
    assert expected.losses[-1] < expected.losses[0]
    assert whole.source.store.computed == 6  # each picture once, in more than one epoch
    for killed_at in (3, 4):
        folder = tmp_path / str(killed_at)
        with pytest.raises(KeyboardInterrupt):  # before the checkpoint of this step is written
            trainer(base, data, folder, Quiet(killed_at)).run()
        again = trainer(base, data, folder, Quiet()).run()
        assert again.losses == expected.losses
        assert again.held_out == expected.held_out
        assert again.best_step == expected.best_step
    with pytest.raises(DataError, match=r"other settings \(batch\)"):
        trainer(base, data, tmp_path / "whole", Quiet(), settings(batch=2)).run()


def test_what_was_trained_is_served_beside_the_base(base: Path, data: Path, tmp_path: Path) -> None:
    trained, out, said = opened(base), tmp_path / "mine", list[str]()
    options = RunOptions(out, features_on_disk=True, evaluate_every=3, show=2)
    dataset = replace(rows_of(data), bad=(BadRow(9, "rows.jsonl", "missing picture: gone.png."),))
    state = train_model(trained, base, dataset, settings(), options, open_accelerator("fp32", cpu=True), said.append)
    assert (out / "training" / "skipped.txt").read_text() == "rows.jsonl, row 9: missing picture: gone.png.\n"
    assert state.best is not None
    served, picture = load(out, CPU, exact=True), rows_of(data).examples[0].pictures[0].open()
    expected = trained.connector.connect(trained.connector.freeze([picture]))[0].embeddings
    found = served.encode([picture])[0].embeddings
    before = load(base, CPU, exact=True).encode([picture])[0].embeddings
    torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-3)  # stored in fp16
    assert not torch.allclose(found, before, atol=1e-2)
    assert served.card.name == "mine"
    heavy = next(base.glob("language*.safetensors"))
    assert (out / heavy.name).samefile(heavy)
    report = (out / "training" / "report.html").read_text()
    assert report.count("<polyline") == 2
    assert report.count("<article>") == 1  # one row was held out
    assert "before" in report
    assert "<script" not in report
    assert "<td>parts</td><td>projection</td>" in report
    assert len((out / "training" / "losses.jsonl").read_text().splitlines()) == 7
    assert any("pictures/s" in line and "left" in line for line in said)
    assert any("MB in" in line for line in said)


def test_order_shows_every_row_once_an_epoch() -> None:
    order = Order(rows=5, batch=3, seed=1)
    seen = [row for step in range(5) for row in order.step(step)]
    assert [sorted(seen[at : at + 5]) for at in (0, 5, 10)] == [list(range(5))] * 3
    assert seen[:5] != seen[5:10]
    assert Order(5, 3, 2).step(0) != order.step(0)


def test_the_rate_is_the_releases() -> None:
    run = settings_of("x", 2, ("projection",), "fp32", steps=1000)
    assert run.warm_up == 200
    assert [run.rate_at(step) for step in (0, 100, 1000)] == pytest.approx([1e-6, 1.55e-5, 1e-5])
    assert run.rate_at(200) == pytest.approx(1e-5 + 2e-5 * 0.9045, rel=1e-3)


def test_a_look_before_training(base: Path, data: Path, tmp_path: Path) -> None:
    lines = data.read_text().splitlines()
    (tmp_path / "rows.jsonl").write_text("\n".join([*lines, json.dumps({"image": "gone.png", "answer": "x"}), lines[-1]]))
    arguments = [str(tmp_path / "rows.jsonl"), "--images", str(data.parent), "--base", str(base), "--check", "--batch", "2"]
    told = CliRunner().invoke(app, arguments, env={"GANDER_HOME": str(tmp_path)}, catch_exceptions=False)
    assert "8 rows: 7 can be used, 1 can't, 1 repeat an earlier one." in told.output
    assert "repetitions: 1 (rows.jsonl, row 8)" in told.output
    assert "rows.jsonl, row 7: missing picture: gone.png." in told.output
    assert told.output.count("picture: 2 soft tokens") + told.output.count("picture: 4 soft tokens") >= 1
    assert "learned [" in told.output
    assert "will take about" in told.output
    assert not (tmp_path / "training").exists()
    with pytest.raises(DataError, match="row 7"):
        CliRunner().invoke(app, arguments[:-3], env={"GANDER_HOME": str(tmp_path)}, catch_exceptions=False)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_fp16_without_a_gpu_is_refused(base: Path, data: Path) -> None:
    told = CliRunner().invoke(app, [str(data), "--base", str(base), "--check", "--precision", "fp16"])
    assert told.exit_code == 2
    assert "--precision fp16" in told.output


def test_a_run_that_goes_on_says_so_and_tells_each_step_once(tmp_path: Path) -> None:
    """TensorBoard's part runs where the extra `train` is installed."""
    said: list[str] = []
    for steps in (3, 5):  # the second one goes on with what the first one left
        watch = Watch(cast("Any", None), cast("Any", None), settings(), tmp_path, (), said.append)
        watch.begins(RunState(losses=[1.0] * (steps - 2), held_out={0: 2.0}))
        watch.stepped(RunState(losses=[1.0] * steps, held_out={0: 2.0}))
        watch.close()
    assert [line for line in said if line.startswith("Goes on")] == [
        f"Goes on after step {step}, where {tmp_path} left off." for step in (1, 3)
    ]
    assert len((tmp_path / "losses.jsonl").read_text().splitlines()) == 5
    if find_spec("tensorboard") is None:
        assert NO_TENSORBOARD in said
        return
    accumulators = import_module("tensorboard.backend.event_processing.event_accumulator")  # it has no types
    events = accumulators.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("loss")] == list(range(5))
    assert [event.value for event in events.Scalars("held-out loss")] == [2.0]


def test_ctrl_c_ends_with_a_model(base: Path, data: Path, tmp_path: Path) -> None:
    told: list[str] = []

    def say(line: str) -> None:
        told.append(line)
        if len(told) == 1:  # before the first step
            os.kill(os.getpid(), signal.SIGINT)

    run = settings(steps=1000, held_out=0)
    state = train_model(opened(base), base, rows_of(data), run, RunOptions(tmp_path / "out"), open_accelerator("fp32", cpu=True), say)
    assert state.step == state.best_step == 1  # not the weights of the last look
    assert load(tmp_path / "out", CPU, exact=True).card.name == "out"
