"""A step computes what rows begin with once, and of the last layer only what is learned: losses and gradients are those of row by row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from engine.training.alignment.batches import Batch, shared_start
from engine.training.alignment.dataset import check_pictures
from engine.training.alignment.formats.reading import read_rows
from engine.training.alignment.objective import run, summed_loss
from engine.training.alignment.opening import open_accelerator, open_base
from engine.training.alignment.parts import AdapterOptions, PartName, TrainedModel, train_parts
from engine.training.alignment.recipe import settings_of
from engine.training.alignment.rows import Split
from engine.training.alignment.run import RunOptions, row_source
from engine.training.alignment.templates import SOFT


@pytest.mark.parametrize("part", ["projection", "lora"])
def test_a_batch_has_the_losses_and_gradients_of_its_rows_one_by_one(part: PartName, base: Path, data: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    trained = train_parts(open_base(str(base), torch.device("cpu"), "fp32")[0], [part], AdapterOptions())
    with torch.no_grad():
        for parameter in trained.modules.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)  # a new adapter's B has no gradient for its A
    dataset, settings = check_pictures(read_rows([data])), settings_of("tiny", 2, (part,), "fp32")
    source = row_source(trained, Split.draw(dataset.examples, 0, 0), settings, RunOptions(tmp_path), open_accelerator("fp32", cpu=True))
    batch = source.batch(dataset.examples)
    alone = [source.batch([example]) for example in dataset.examples]
    assert batch is not None
    assert batch.shared > 0
    assert batch.tokens == batch.ids.numel() - (len(alone) - 1) * batch.shared
    expected, wanted = learned(trained, sum((plain(trained, row) for row in alone if row is not None), torch.zeros(())))
    for same in (batch, replace(batch, shared=0)):
        loss, gradients = learned(trained, summed_loss(trained, same))
        torch.testing.assert_close(loss, expected)
        torch.testing.assert_close(gradients, wanted, rtol=1e-4, atol=1e-5)


def plain(trained: TrainedModel, batch: Batch) -> Tensor:
    """Of one row, all of whose tokens go through all layers."""
    logits = trained.model.language_model.logits(run(trained, batch)[0])
    return cross_entropy(logits[batch.before], batch.targets, reduction="sum")


def learned(trained: TrainedModel, loss: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    trained.modules.zero_grad()
    loss.backward()
    return loss.detach(), {name: each.grad for name, each in trained.modules.named_parameters() if each.grad is not None}


@pytest.mark.parametrize(
    ("ids", "first_learned", "expected"),
    [
        ([[5, 6, 7, 8, 9], [5, 6, 7, 1, 9]], 4, 3),
        ([[5, 6, SOFT, 8, 9], [5, 6, SOFT, 8, 9]], 4, 2),  # pictures differ
        ([[5, 6, 7, 8, 9], [5, 6, 7, 8, 9]], 2, 1),  # the token that foretells a learned one is needed in every row
        ([[5, 6, 7, 8, 9], [4, 6, 7, 8, 9]], 4, 0),
        ([[5, 6, 7, 8, 9]], 4, 0),  # nothing is saved
    ],
)
def test_what_rows_begin_with(ids: list[list[int]], first_learned: int, expected: int) -> None:
    learned = torch.zeros(len(ids), 5, dtype=torch.bool)
    learned[:, first_learned:] = True
    assert shared_start(torch.tensor(ids), learned, torch.arange(5)[None]) == expected


def test_rows_whose_positions_differ_share_nothing_from_there() -> None:
    ids, positions = torch.full((2, 6), 5), torch.arange(6).expand(3, 2, 6).clone()
    positions[:, 1, 3:] += 7
    learned = torch.zeros(2, 6, dtype=torch.bool)
    learned[:, 5] = True
    assert shared_start(ids, learned, positions) == 3
