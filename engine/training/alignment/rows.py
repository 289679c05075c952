"""The rows of a run: which are trained on and which held out, what their pictures were turned into, and how they are written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np
import torch

from engine.errors import DataError, PictureError, RequestError
from engine.training.alignment.batches import Batch, Order, collate
from engine.training.alignment.dataset import Bad, BadRow, Example, StoredPicture
from engine.training.alignment.features import Features, FeatureStore
from engine.training.alignment.states import StateStore
from engine.training.alignment.templates import RowWriter, TrainingRow

MOST_HELD_OUT = 200  # rows


@dataclass(frozen=True)
class Split:
    """Every example is on one side; the seed decides on which."""

    trained: tuple[Example, ...]
    held_out: tuple[Example, ...]

    @classmethod
    def draw(cls, examples: Sequence[Example], share: float, seed: int) -> Split:
        count = min(round(len(examples) * share), MOST_HELD_OUT, len(examples) - 1)
        order = np.random.default_rng((seed, len(examples))).permutation(len(examples)).tolist()
        held = set(order[:count])
        return cls(*(tuple(each for at, each in enumerate(examples) if (at in held) is side) for side in (False, True)))


@dataclass
class RowSource:
    """Makes batches, with what `states` keeps of each row where there is such a store. A row that can't be written is left out and noted
    in `skipped`, or with `bad` "refuse" ends the run."""

    writer: RowWriter
    store: FeatureStore
    device: torch.device
    bad: Bad = "refuse"
    skipped: dict[Example, BadRow] = field(default_factory=dict)
    written: dict[Example, TrainingRow] = field(default_factory=dict)
    states: StateStore | None = None

    def batch(self, examples: Sequence[Example]) -> Batch | None:
        """None where no row of them can be learned from. Raises DataError for a bad row, if it is not to be skipped."""
        good = [example for example in examples if self.row(example) is not None]
        if not good:
            return None
        features = self.store.read([picture for example in good for picture in example.pictures])
        batch = collate([self.written[example] for example in good], features, self.device)
        if self.states is None:
            return batch
        return replace(batch, states=self.states.read([self.seen(example) for example in good]))

    def seen(self, example: Example) -> tuple[TrainingRow, list[Features]]:
        """A row that was written, with its pictures."""
        return self.written[example], self.store.read(example.pictures)

    def row(self, example: Example) -> TrainingRow | None:
        if example not in self.written and example not in self.skipped:
            try:
                self.written[example] = self.writer.write(example, self.store.read(example.pictures))
            except (PictureError, RequestError) as error:
                self.skipped[example] = BadRow(example.row, example.source, str(error))
                if self.bad == "refuse":
                    raise DataError(f"{self.skipped[example]} `--bad skip` goes on without it.") from None
        return self.written.get(example)


def first_batches(order: Order, split: Split, processes: int) -> Mapping[str, Sequence[StoredPicture]]:
    """For each picture those of the batch that it first comes in, of one process: see `FeatureStore`."""
    steps = -(-order.rows // order.batch)
    trained = ([split.trained[row] for row in order.step(step)] for step in range(steps))
    held = (split.held_out[at : at + order.batch] for at in range(0, len(split.held_out), order.batch))
    return grouped(batch[process::processes] for batch in chain(trained, held) for process in range(processes))


def grouped(batches: Iterable[Sequence[Example]]) -> dict[str, Sequence[StoredPicture]]:
    found: dict[str, Sequence[StoredPicture]] = {}
    for batch in batches:
        new = {picture.key: picture for example in batch for picture in example.pictures if picture.key not in found}
        found |= dict.fromkeys(new, tuple(new.values()))
    return found
