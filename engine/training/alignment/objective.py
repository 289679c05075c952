"""What a step of training computes: how surprised the model is by each token of the answers, and by nothing else."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from engine.models.base import EncodedPicture
from engine.models.llama.llama import Cache
from engine.training.alignment.batches import Batch
from engine.training.alignment.parts import TrainedModel


def summed_loss(trained: TrainedModel, batch: Batch) -> Tensor:
    """The cross entropy of all learned tokens of the batch together, in fp32, []."""
    hidden = run(trained, batch)
    with without_autocast(hidden.device):
        logits = trained.model.language_model.logits(hidden.flatten(0, 1).index_select(0, batch.before))
    return cross_entropy(logits, batch.targets, reduction="sum")


def run(trained: TrainedModel, batch: Batch, cache: Cache | None = None) -> Tensor:
    """Final hidden states [rows, tokens, width]; attention is causal. `cache` keeps keys and values, for what is said next."""
    language = trained.model.language_model
    first = 0 if batch.states is None else trained.frozen_layers
    layers = range(first, language.config.num_hidden_layers)
    hidden: Tensor = language.model.norm(run_layers(trained, batch, layers, cache))
    return hidden


def run_layers(trained: TrainedModel, batch: Batch, layers: range, cache: Cache | None = None) -> Tensor:
    """What comes out of the last of `layers`, [rows, tokens, width], before the final norm; they begin at the first, or behind those
    whose states the batch has."""
    embedded, deepstack = embed(trained, batch)
    entering = embedded if batch.states is None else batch.states
    scale = torch.ones(1, 1, 1, device=embedded.device) if trained.uses_lora else None
    with without_autocast(embedded.device):
        return trained.model.language_model.run(layers, entering, batch.positions, cache, scale, deepstack)


def embed(trained: TrainedModel, batch: Batch) -> tuple[Tensor, Tensor | None]:
    """Words and pictures as embeddings [rows, tokens, width], and the pictures' deepstack."""
    embedded = trained.model.language_model.embed(batch.ids)
    pictures = trained.connector.connect(batch.features) if batch.features else []
    deepstack = None
    if pictures:
        soft = torch.cat([picture.embeddings for picture in pictures]).to(embedded.dtype)
        embedded = embedded.flatten(0, 1).index_copy(0, batch.soft, soft).view_as(embedded)
        deepstack = spread(pictures, batch, embedded)
    return embedded, deepstack


def without_autocast(device: torch.device) -> torch.autocast:
    """The frozen language model is in the run's type already; autocast would only widen its norms to fp32 and narrow them again."""
    return torch.autocast(device.type, enabled=False)


def spread(pictures: list[EncodedPicture], batch: Batch, embedded: Tensor) -> Tensor | None:
    """The pictures' deepstack at their places, [layers, rows, tokens, width], 0 elsewhere; None where there is none."""
    stacks = [picture.deepstack for picture in pictures if picture.deepstack is not None]
    if not stacks:
        return None
    joined = torch.cat(stacks, dim=1).to(embedded)
    empty = embedded.new_zeros(len(joined), embedded.shape[0] * embedded.shape[1], embedded.shape[2])
    spread_out: Tensor = empty.index_copy(1, batch.soft, joined).unflatten(1, embedded.shape[:2])
    return spread_out
