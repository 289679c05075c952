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
    base, whose files it must replace, not write to.
    """

    name: PartName
    module: nn.Module
    export: Callable[[Path], None]


@dataclass(frozen=True)
class AdapterOptions:
    """How large an adapter is: `rank`, and `alpha` by which it is scaled (alpha / rank)."""

    rank: int = 8
    alpha: float = 16.0
