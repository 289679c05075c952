"""What the frozen first layers of a language model make of a row, computed once and kept: in memory, or on disk for the next run too.

With an adapter on the last layers only, all before them is the same in every epoch: a later one computes but the last layers.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from engine.atomic_write import replacing
from engine.prompts.context import PictureTokens
from engine.training.alignment.batches import collate
from engine.training.alignment.features import Features
from engine.training.alignment.objective import run_layers
from engine.training.alignment.parts import TrainedModel
from engine.training.alignment.templates import TrainingRow

SeenRow = tuple[TrainingRow, Sequence[Features]]


@dataclass
class StateStore:
    """Keeps the states behind `trained.frozen_layers` layers, in the model's type, on the host. With `folder` they lie there, a file a row.

    Each row is computed alone: then nothing depends on which rows it met first, and a run that goes on after a kill computes the same.
    """

    trained: TrainedModel
    folder: Path | None = None
    kept: dict[str, Tensor] = field(default_factory=dict)
    computed: int = 0  # rows
    seconds: float = 0.0  # spent on that

    def read(self, rows: Sequence[SeenRow]) -> Tensor:
        """[rows, tokens, width] on the model's device, padded on the right with zeros."""
        return pad_sequence([self.state(row, features) for row, features in rows], batch_first=True).to(self.trained.model.device)

    def state(self, row: TrainingRow, features: Sequence[Features]) -> Tensor:
        """[tokens, width] on the host."""
        key = key_of(row)
        path = self.folder and self.folder / key[:2] / f"{key}.safetensors"
        if path is not None and path.exists():
            return load_file(path)["states"]
        if key in self.kept:
            return self.kept[key]
        state = self.compute(row, features)
        if path is None:
            self.kept[key] = state
        else:
            with replacing(path) as part:
                save_file({"states": state}, part)
        return state

    @torch.no_grad()
    def compute(self, row: TrainingRow, features: Sequence[Features]) -> Tensor:
        began = time.perf_counter()
        alone = collate([row], features, self.trained.model.device)
        state = run_layers(self.trained, alone, range(self.trained.frozen_layers))[0].cpu()
        self.computed += 1
        self.seconds += time.perf_counter() - began
        return state

    def bytes_of(self, tokens: float) -> float:
        """What so many tokens take."""
        language = self.trained.model.language_model
        return tokens * language.config.hidden_size * language.dtype.itemsize


def key_of(row: TrainingRow) -> str:
    """Tells rows apart that differ in their tokens or their pictures."""
    told = [segment.keys if isinstance(segment, PictureTokens) else list(segment) for segment in row.segments]
    return hashlib.sha256(repr(told).encode()).hexdigest()


def keeps_states(trained: TrainedModel, folder: Path | None) -> StateStore | None:
    """A store where there is anything to keep."""
    return StateStore(trained, folder) if trained.frozen_layers else None


def told_states(store: StateStore, lengths: Sequence[int], rows: int) -> str:
    """What keeping the states of `rows` rows will take, by the lengths in tokens of some of them."""
    size = store.bytes_of(sum(lengths) / len(lengths) * rows)
    layers, there = store.trained.frozen_layers, store.trained.model.language_model.config.num_hidden_layers
    where = "in memory (--features-on-disk: on disk)" if store.folder is None else f"in {store.folder}"
    kept = f"What the first {layers} of {there} layers make of each of {rows} rows is computed once and kept"
    return f"{kept}: about {size / 1e6:.0f} MB {where}."
