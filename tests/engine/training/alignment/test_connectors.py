"""Connectors of every native family and of the pocket model: loss and gradients are transformers' own, and what was trained is served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import cross_entropy

from engine.errors import ModelError
from engine.models.pocket.bridge import Bridge
from engine.models.pocket.efficientnet import EfficientNet
from engine.models.pocket.perception import Perception
from engine.models.pocket.pocket import Pocket
from engine.models.pretrained.model import PretrainedModel
from engine.training.alignment.batches import collate
from engine.training.alignment.dataset import Example, StoredPicture
from engine.training.alignment.export import export_model, export_pocket
from engine.training.alignment.native_connector import numbered, rows_in
from engine.training.alignment.objective import summed_loss
from engine.training.alignment.opening import open_base
from engine.training.alignment.parts import AdapterOptions, PartName, TrainedModel, train_parts
from engine.training.alignment.pocket_connector import PocketConnector
from engine.training.alignment.templates import SOFT, RowWriter
from engine.weights.loader import load
from engine.weights.pocket import BRIDGE, bridge_file
from tests.engine.models.pretrained.repositories import Repository, picture, store
from tests.engine.tiny import tiny_card, tiny_language, tiny_tokenizer

CPU = torch.device("cpu")
QUICK = ("qwen3_vl", "smolvlm")  # every way to lay out rows: behind layers, and among tags of tiles
OTHERS = ("idefics3", "internvl on qwen2", "llava", "llava_next", "llava_onevision", "qwen2_5_vl")
QUESTION, ANSWER = "What is this?", "A dog."


@pytest.fixture(scope="module", params=[*QUICK, *(pytest.param(family, marks=pytest.mark.sweep) for family in OTHERS)])
def repository(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return store(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def trained(repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANDER_HOME", str(home))
        return train_parts(open_base(str(repository.folder), CPU, "fp32")[0], ["projection"], AdapterOptions())


def reference(repository: Repository, image: Image.Image) -> Any:
    """What transformers' own processor makes of the row, without what its template puts behind the answer's end."""
    asked = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": QUESTION}]}
    said = {"role": "assistant", "content": [{"type": "text", "text": ANSWER}]}
    text = repository.processor.tokenizer.apply_chat_template(
        [asked, said], chat_template=repository.processor.chat_template, tokenize=False
    )
    return repository.processor(text=text, images=[image], return_tensors="pt")


def test_loss_and_gradients_are_transformers(repository: Repository, trained: TrainedModel) -> None:
    model, image = trained.model, picture(96, 64)
    features = trained.connector.freeze([image])
    row = RowWriter(model, 2, 160).write(Example(1, "x", (StoredPicture(Path("x.png")),), ((QUESTION, ANSWER),)), features)
    loss = summed_loss(trained, collate([row], features, CPU))
    loss.backward()
    given = reference(repository, image)
    given["input_ids"][0, len(row) - 1] = row.ids[-1]  # the tiny tokenizer's own end, which the template does not write
    ids, learned = given["input_ids"][0, : len(row)], torch.tensor(row.learned)
    words = torch.tensor(row.ids) != SOFT
    assert torch.equal(ids[words], torch.tensor(row.ids)[words])
    theirs = repository.model.requires_grad_(True)
    theirs.zero_grad()
    logits = theirs(**given).logits[0, : len(row)]
    expected = cross_entropy(logits[:-1][learned[1:]], ids[1:][learned[1:]], reduction="sum")
    expected.backward()
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-4)
    names = dict(theirs.base_model.named_parameters())
    gradients = {name.replace("/", "."): parameter.grad for name, parameter in trained.modules["connector"].named_parameters()}
    assert len(gradients) >= 1
    for name, gradient in gradients.items():
        expected_gradient = names[name].grad
        assert gradient is not None
        assert expected_gradient is not None
        assert float(expected_gradient.abs().max()) > 0
        torch.testing.assert_close(gradient, expected_gradient, rtol=1e-3, atol=1e-4 * float(expected_gradient.abs().max()))


def test_what_was_trained_is_served(repository: Repository, trained: TrainedModel, tmp_path: Path) -> None:
    model, image = trained.model, picture(64, 150, seed=3)
    assert isinstance(model, PretrainedModel)
    before = model.encode([image])[0].embeddings
    torch.testing.assert_close(trained.connector.connect(trained.connector.freeze([image]))[0].embeddings, before)
    with torch.no_grad():
        for parameter in trained.modules.parameters():
            parameter.add_(0.05)
    expected = trained.connector.connect(trained.connector.freeze([image]))[0]
    tmp_path.joinpath("out").mkdir()
    export_model(repository.folder, tmp_path / "out", trained)
    found = load(tmp_path / "out", CPU, exact=True).encode([image])[0]
    torch.testing.assert_close(found.embeddings, expected.embeddings)
    assert not torch.allclose(found.embeddings, before, atol=1e-2)
    if expected.deepstack is not None:
        torch.testing.assert_close(found.deepstack, expected.deepstack)


def test_rows_keep_their_numbers_in_any_type() -> None:
    made = torch.zeros(3, 200, 8, dtype=torch.bfloat16)
    order = torch.randperm(600)
    laid_out = torch.cat((numbered(made).flatten(0, 1)[order], torch.ones(1, 8, dtype=torch.bfloat16)))
    assert rows_in(laid_out.float(), "x").tolist() == [*order.tolist(), -1]
    with pytest.raises(ModelError, match="smaller picture"):
        rows_in(laid_out.float()[[0, 1, 1]], "x")


@pytest.fixture(scope="module")
def pocket() -> Pocket:
    torch.manual_seed(0)
    bridge, language = Bridge(32).eval(), tiny_language()
    return Pocket(tiny_card(), tiny_tokenizer(), Perception(EfficientNet(), bridge, torch.randn(1000, 32)), language)


@pytest.mark.parametrize("part", ["projection", "qformer"])
def test_the_pocket_models_bridge_gets_the_gradients_of_a_plain_one(pocket: Pocket, part: PartName) -> None:
    connector, shown = train_parts(pocket, [part], AdapterOptions()).connector, [picture(60, 40), picture(50, 50, seed=1)]
    assert isinstance(connector, PocketConnector)
    made = connector.connect(connector.freeze(shown))
    expected = pocket.encode(shown)
    assert [each.words for each in made] == [each.words for each in expected]
    for ours, theirs in zip(made, expected, strict=True):
        torch.testing.assert_close(ours.embeddings, theirs.embeddings)
    weights = torch.randn(24, 32)
    sum_of([each.embeddings for each in made], weights).backward()
    plain = pocket.perception.bridge.qformer.requires_grad_(True)
    plain.zero_grad()
    with torch.no_grad():
        read = [pocket.perception.read(each)[1] for each in shown]
    sum_of([plain(*each)[0] for each in read], weights).backward()
    wanted = {name: parameter.grad for name, parameter in plain.named_parameters()}
    gradients = {name: parameter.grad for name, parameter in connector.trained.qformer.named_parameters() if parameter.requires_grad}
    assert len(gradients) == (3 if part == "projection" else len(wanted))
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, wanted[name], rtol=1e-3, atol=1e-5)


def sum_of(embeddings: list[Tensor], weights: Tensor) -> Tensor:
    return torch.stack([(each * weights).sum() for each in embeddings]).sum()


def test_the_pocket_models_export_is_a_whole_bridge(tmp_path: Path) -> None:
    shipped = load_file(BRIDGE)
    name = "bridge.qformer.projection.bias"
    assert bridge_file(tmp_path) == BRIDGE
    export_pocket(tmp_path, {name: torch.full_like(shipped[name], 2.0).float()})
    found = load_file(bridge_file(tmp_path))
    assert found.keys() == shipped.keys()
    assert {key for key in found if not torch.equal(found[key], shipped[key])} == {name}
    export_pocket(tmp_path, {"bridge.qformer.length": torch.tensor([3.0])})  # trained again: what the base had learned stays
    again = load_file(bridge_file(tmp_path))
    assert {key for key in again if not torch.equal(again[key], shipped[key])} == {name, "bridge.qformer.length"}
