"""In which forms a language model's matrices can be kept. No torch, so that cards and commands know them too."""

from __future__ import annotations

from typing import Literal

Quantization = Literal["none", "int8", "4bit", "q4_1"]
