"""Which models and machines get GPU kernels, and what is said of those that don't."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from structlog.testing import capture_logs

from engine.device.devices import Abilities
from engine.kernels.gpu import support
from engine.kernels.gpu.support import build_step, fits, has_lora
from engine.models.llama.llama import Llama
from tests.engine.kernels.gpu.language import CONFIG, half_language


def test_a_model_that_the_kernels_do_not_compute_takes_plain_torch() -> None:
    assert fits(half_language("none"))
    assert not has_lora(half_language("none"))
    assert not fits(half_language("none").float())
    assert not fits(Llama(replace(CONFIG, head_dim=24)).half())
    assert build_step(half_language("none"), Abilities(torch.float16, triton=False)) is None


@pytest.mark.skipif(torch.cuda.is_available(), reason="There is a card here, so nothing is lacking.")
def test_what_is_lacking_is_said_once() -> None:
    support.lacking.cache_clear()
    with capture_logs() as logs:
        for _ in range(2):
            assert build_step(half_language("none"), Abilities(torch.float16, triton=True)) is None
    assert [entry["event"] for entry in logs] == ["slower without kernels of our own"]


def test_without_triton_plain_torch_is_taken() -> None:
    script = """
import sys
sys.modules["triton"] = None
import torch
from engine.device.devices import Abilities
from engine.kernels.gpu.support import available
assert not available(Abilities(torch.float16, triton=True))
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "triton is not installed" in done.stdout + done.stderr
