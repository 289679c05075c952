"""An adapter on the last layers: what those before it make of a row is computed once, and changes no loss; what comes out is served."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from engine.commands.train import app
from engine.errors import ModelError
from engine.training.alignment.checkpoint import weights_of
from engine.training.alignment.dataset import Dataset, check_pictures
from engine.training.alignment.formats.reading import read_rows
from engine.training.alignment.objective import run, summed_loss
from engine.training.alignment.opening import open_accelerator, open_base
from engine.training.alignment.parts import AdapterOptions, PartName, TrainedModel, train_parts
from engine.training.alignment.recipe import settings_of
from engine.training.alignment.rows import RowSource, Split
from engine.training.alignment.run import RunOptions, row_source, train_model
from engine.weights.loader import load

CPU = torch.device("cpu")
LAST = AdapterOptions(layers=1)
RUN = settings_of("tiny", 2, ("lora",), "fp32", steps=6, batch=4, rate=1e-2, warm_up=1, held_out=0.2, adapter=LAST)


def opened(base: Path, *parts: PartName) -> TrainedModel:
    torch.manual_seed(0)
    return train_parts(open_base(str(base), CPU, "fp32")[0], parts or ("lora",), LAST)


def test_a_row_goes_through_the_frozen_layers_once_to_the_same_loss_and_the_adapter_is_served(
    base: Path, data: Path, tmp_path: Path
) -> None:
    dataset, accelerator, trained = check_pictures(read_rows([data])), open_accelerator("fp32", cpu=True), opened(base)
    losses, begun = list[list[float]](), weights_of(trained.modules)
    for out in (tmp_path / "memory", tmp_path / "disk"):
        said: list[str] = []
        trained.modules.load_state_dict(begun)
        options = RunOptions(out, features_on_disk=out.name == "disk")
        losses.append(train_model(trained, base, dataset, RUN, options, accelerator, said.append).losses)
        where = "in memory" if out.name == "memory" else str(out / "training" / "states")
        assert any("layers make of each of 6 rows is computed once and kept" in line and where in line for line in said)
        assert any("Rows' states: 6 computed once" in line for line in said)  # in six steps of four
    assert losses[0] == losses[1]
    source = row_source(trained, Split.draw(dataset.examples, 0, 0), RUN, options, accelerator)
    batch = source.batch(dataset.examples)
    assert batch is not None
    assert batch.states is not None
    assert source.states is not None
    assert source.states.computed == 0  # all were found
    anew = summed_loss(trained, replace(batch, states=None))
    torch.testing.assert_close(summed_loss(trained, batch), anew, rtol=1e-6, atol=0)
    assert not torch.allclose(summed_loss(trained, replace(batch, states=batch.states * 0)), anew, rtol=1e-3)
    check_served(out, trained, source, dataset)


@torch.no_grad()
def check_served(out: Path, trained: TrainedModel, source: RowSource, dataset: Dataset) -> None:
    """The exported model gives the logits of the graph that was trained, and its adapter names its layer as peft does."""
    served = load(out, CPU, exact=True)
    language = served.language_model
    layers, scale = language.config.num_hidden_layers, torch.tensor(language.lora_scales("", True))[None, None]
    assert json.loads((out / "adapter" / "adapter_config.json").read_text())["layers_to_transform"] == [layers - 1]
    assert {name.split(".")[4] for name in load_file(out / "adapter" / "adapter_model.safetensors")} == {str(layers - 1)}
    batch = source.batch(dataset.examples[:1])
    assert batch is not None
    soft = served.encode([dataset.examples[0].pictures[0].open()])[0].embeddings
    embedded = language.embed(batch.ids).flatten(0, 1).index_copy(0, batch.soft, soft)[None]
    found = language.logits(language(embedded, batch.positions, lora_scale=scale))
    torch.testing.assert_close(found, language.logits(run(trained, batch)), rtol=1e-3, atol=1e-3)
    assert not torch.allclose(found, language.logits(language(embedded, batch.positions)), atol=1e-2)


def test_states_change_with_a_trained_projection_and_are_not_kept(base: Path) -> None:
    assert opened(base, "lora").frozen_layers > 0
    assert opened(base, "projection", "lora").frozen_layers == 0


def test_layers_that_are_not_there(base: Path, data: Path) -> None:
    with pytest.raises(ModelError, match=r"--layers 99: the language model of tiny has \d+ layers"):
        train_parts(open_base(str(base), CPU, "fp32")[0], ["lora"], AdapterOptions(layers=99))
    told = CliRunner().invoke(app, [str(data), "--base", str(base), "--check", "--layers", "1"])
    assert told.exit_code == 2
    assert "--train lora" in told.output
    told = CliRunner().invoke(app, [str(data), "--base", str(base), "--check", "--layers", "1", "--train", "lora"], catch_exceptions=False)
    assert "for the layers before the adapter once" in told.output
    assert "computed once and kept: about" in told.output
