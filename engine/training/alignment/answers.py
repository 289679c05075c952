"""What the model in training says to a few fixed pictures, so that a person sees what changes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from engine.training.alignment.batches import Batch, collate
from engine.training.alignment.dataset import Example
from engine.training.alignment.objective import run
from engine.training.alignment.parts import TrainedModel
from engine.training.alignment.rows import RowSource
from engine.training.alignment.templates import CAPTION_END, TrainingRow

LONGEST = 60  # tokens of an answer


class GrowingCache:
    """Keys and values of one row, as many as there are; see `engine.models.llama.llama.Cache`."""

    def __init__(self) -> None:
        self.layers: dict[int, tuple[Tensor, Tensor]] = {}

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        if layer in self.layers:
            earlier = self.layers[layer]
            key, value = torch.cat((earlier[0], key), dim=2), torch.cat((earlier[1], value), dim=2)
        self.layers[layer] = key, value
        return scaled_dot_product_attention(query, key, value, is_causal=query.shape[2] > 1, enable_gqa=True)


@torch.no_grad()
def answer(trained: TrainedModel, source: RowSource, example: Example) -> str:
    """The likeliest answer to the example's first question, word by word."""
    written = source.row(example)
    if written is None:
        return ""
    batch = collate([opening(written)], source.store.read(example.pictures), source.device)
    tokens, ends = said(trained, batch), trained.model.tokenizer.eos_ids
    stops = (CAPTION_END,) if source.writer.stage == 1 else trained.model.card.template.stop
    ids: list[int] = []
    for token in tokens:
        if token in ends:
            break
        ids.append(token)
        if any(stop in trained.model.tokenizer.decode(ids) for stop in stops):
            break
    text = trained.model.tokenizer.decode(ids)
    for stop in stops:
        text = text.partition(stop)[0]
    return text.strip()


def opening(row: TrainingRow) -> TrainingRow:
    """The row up to what is learned first; one token too many, since a batch wants to learn something."""
    kept, at = [], 0
    for segment in row.segments:
        if row.learned[at]:
            break
        kept.append(segment)
        at += len(segment)
    return TrainingRow(tuple(kept), (*([False] * (at - 1)), True))


def said(trained: TrainedModel, batch: Batch) -> list[int]:
    """Up to `LONGEST` tokens; past the end of an answer too."""
    language = trained.model.language_model
    scale = torch.ones(1, 1, 1, device=batch.ids.device) if trained.uses_lora else None
    cache = GrowingCache()
    hidden = run(trained, batch, cache)
    last = batch.positions.amax(dim=(0, -1), keepdim=True) if batch.positions.ndim == 3 else batch.positions[:, -1:]
    tokens: list[Tensor] = []
    for at in range(LONGEST):
        tokens.append(language.logits(hidden[:, -1]).argmax(-1))  # [1]
        hidden = language(language.embed(tokens[-1][None]), last.expand(*batch.positions.shape[:-1], 1) + 1 + at, cache, lora_scale=scale)
    return torch.cat(tokens).tolist()
