"""What a step of training computes: how surprised the model is by each token of the answers, and by nothing else."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, scaled_dot_product_attention

from engine.models.base import EncodedPicture
from engine.models.llama.llama import Cache
from engine.training.alignment.batches import Batch
from engine.training.alignment.parts import TrainedModel


def summed_loss(trained: TrainedModel, batch: Batch) -> Tensor:
    """The cross entropy of all learned tokens of the batch together, in fp32, []."""
    hidden = run_learned(trained, batch)
    with without_autocast(hidden.device):
        logits = trained.model.language_model.logits(hidden)
    return cross_entropy(logits, batch.targets, reduction="sum")


def run_learned(trained: TrainedModel, batch: Batch) -> Tensor:
    """Final hidden states of the tokens that foretell learned ones, [learned, width]: what nobody learns from is not computed.

    What all rows begin with goes through the layers once: attention is causal, so that it is the same in every row.
    """
    language, shared = trained.model.language_model, batch.shared
    layers = range(first_layer(trained, batch), language.config.num_hidden_layers)
    entering, deepstack = enter(trained, batch)
    cache = SharedStart() if shared else None

    def run_tokens(rows: slice, tokens: slice, wanted: Tensor) -> Tensor:
        stack = None if deepstack is None else deepstack[:, rows, tokens]
        positions = batch.positions[..., rows, tokens]
        with without_autocast(entering.device):
            return language.run(layers, entering[rows, tokens], positions, cache, own_scale(trained, entering), stack, wanted)

    if shared:
        run_tokens(slice(1), slice(shared), batch.before[:0])
    row, place = batch.before // batch.ids.shape[1], batch.before % batch.ids.shape[1]
    wanted = row * (batch.ids.shape[1] - shared) + place - shared
    hidden: Tensor = language.model.norm(run_tokens(slice(None), slice(shared, None), wanted))
    return hidden[0]


class SharedStart:
    """Keys and values of what all rows begin with, with their gradients; see `engine.models.llama.llama.Cache`. First it is given that,
    as one row, then what follows in each row."""

    def __init__(self) -> None:
        self.layers: dict[int, tuple[Tensor, Tensor]] = {}
        self.mask: Tensor | None = None

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        if layer not in self.layers:
            self.layers[layer] = key, value
            return scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True)
        start = self.layers[layer]
        key, value = (torch.cat((first.expand(len(own), -1, -1, -1), own), dim=2) for first, own in zip(start, (key, value), strict=True))
        if self.mask is None or self.mask.device != query.device:
            seen = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool, device=query.device)
            self.mask = seen.tril(start[0].shape[2])
        return scaled_dot_product_attention(query, key, value, attn_mask=self.mask, enable_gqa=True)


def run(trained: TrainedModel, batch: Batch, cache: Cache | None = None) -> Tensor:
    """Final hidden states [rows, tokens, width]; attention is causal. `cache` keeps keys and values, for what is said next."""
    language = trained.model.language_model
    layers = range(first_layer(trained, batch), language.config.num_hidden_layers)
    hidden: Tensor = language.model.norm(run_layers(trained, batch, layers, cache))
    return hidden


def run_layers(trained: TrainedModel, batch: Batch, layers: range, cache: Cache | None = None) -> Tensor:
    """What comes out of the last of `layers`, [rows, tokens, width], before the final norm; they begin at the first, or behind those
    whose states the batch has."""
    entering, deepstack = enter(trained, batch)
    with without_autocast(entering.device):
        return trained.model.language_model.run(layers, entering, batch.positions, cache, own_scale(trained, entering), deepstack)


def first_layer(trained: TrainedModel, batch: Batch) -> int:
    return 0 if batch.states is None else trained.frozen_layers


def own_scale(trained: TrainedModel, entering: Tensor) -> Tensor | None:
    """Adapters are always on, where there are any."""
    return torch.ones(1, 1, 1, device=entering.device) if trained.uses_lora else None


def enter(trained: TrainedModel, batch: Batch) -> tuple[Tensor, Tensor | None]:
    """What the first layer that is computed reads, [rows, tokens, width], and the pictures' deepstack."""
    embedded, deepstack = embed(trained, batch)
    return embedded if batch.states is None else batch.states, deepstack


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
