"""Modules that wait for their weights are made without memory, without values, and without torch's compiler."""

from __future__ import annotations

import subprocess
import sys

import torch
from torch import nn

from engine.device.meta import without_memory


def test_modules_are_made_without_memory() -> None:
    with without_memory():
        made = nn.Sequential(nn.Linear(3, 4), nn.Embedding(5, 6), nn.LayerNorm(4))
    assert all(parameter.is_meta for parameter in made.parameters())
    assert nn.Linear(2, 2).weight.device == torch.device("cpu"), "only inside"


def test_torchs_compiler_is_not_imported_for_it() -> None:
    code = (
        "import sys\nfrom torch import nn\nfrom engine.device.meta import without_memory\n"
        "with without_memory():\n    nn.Embedding(5, 6), nn.Linear(3, 4), nn.Conv2d(3, 4, 3)\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=100).returncode == 0
