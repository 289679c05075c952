"""Sees what a vision tower of transformers' attends to: its fused attention keeps no weights, and all of them would fill the memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from engine.models.received_attention import received_attention

RECORDED = "sdpa_recorded"  # the name by which transformers' layers find `attend`


class EyeRecorder:
    """What each layer's tokens received, in the order of the layers; a layer that attends window by window does so piece by piece."""

    def __init__(self) -> None:
        self.layers: dict[nn.Module, list[Tensor]] = {}

    def received(self, layers: int | None = None) -> Tensor:
        """[tiles, tokens]: each token's share of all attention in its tile, the mean over the first `layers`; None: over all.

        Tokens stand in the order in which the tower has them.
        """
        found = torch.stack([torch.cat(pieces, dim=1) for pieces in list(self.layers.values())[:layers]])
        shares: Tensor = found.mean(0) / found.shape[-1]
        return shares


CURRENT: ContextVar[EyeRecorder] = ContextVar("eye_recorder")


def attend(module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any) -> Any:
    """What transformers asks of an attention: fused, as it is without a recorder, and recorded besides."""
    scale = options.get("scaling") or query.shape[-1] ** -0.5
    CURRENT.get().layers.setdefault(module, []).append(received_attention(query, key, scale, attention_mask))
    return sdpa_attention_forward(module, query, key, value, attention_mask, **options)


@contextmanager
def recording(vision: nn.Module) -> Iterator[EyeRecorder]:
    """While it lasts, whatever this vision tower attends to is recorded. One thread's at a time."""
    AttentionInterface.register(RECORDED, attend)
    AttentionMaskInterface.register(RECORDED, sdpa_mask)
    configs: dict[int, Any] = {id(part.config): part.config for part in vision.modules() if part is not vision and hasattr(part, "config")}
    before = {at: config._attn_implementation for at, config in configs.items()}
    recorder = EyeRecorder()
    token = CURRENT.set(recorder)
    for config in configs.values():
        config._attn_implementation = RECORDED
    try:
        yield recorder
    finally:
        CURRENT.reset(token)
        for at, config in configs.items():
            config._attn_implementation = before[at]
