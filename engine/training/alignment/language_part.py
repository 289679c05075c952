"""What a trained part of the language model is to a run, and how large an adapter is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import nn

PartName = Literal["projection", "qformer", "lora"]


@dataclass(frozen=True)
class LanguagePart:
    """A trained part of the language model: all parameters of `module` are trained, in fp32.

    While it is trained the model runs it at `lora_scale` 1. `export` writes what serves it into a ready folder: beside links to the
    base, whose files it must replace, not write to. Layers before `first_layer` are as the base's.
    """

    name: PartName
    module: nn.Module
    export: Callable[[Path], None]
    first_layer: int = 0


@dataclass(frozen=True)
class AdapterOptions:
    """How large an adapter is: `rank`, `alpha` by which it is scaled (alpha / rank), and on how many of the last `layers`; None = all."""

    rank: int = 8
    alpha: float = 16.0
    layers: int | None = None
