"""Whether kernels of our own run here: asked once, answered in the log, and without them plain torch computes the same.

Nothing else outside this package may be imported where Triton is missing.
"""

from __future__ import annotations

import subprocess
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

import structlog
import torch

from engine.devices import Abilities
from engine.models.linear import Linear
from engine.models.llama import Llama

if TYPE_CHECKING:
    from engine.kernels.gpu.step import GpuStep

log = structlog.get_logger()
TYPES = (torch.float16, torch.bfloat16)


def build_step(language: Llama, able: Abilities) -> GpuStep | None:
    """The decode step of this model in kernels; None where card, installation or model don't allow it."""
    if not available(able) or not fits(language):
        return None
    from engine.kernels.gpu.step import GpuStep

    return GpuStep(language)


def available(able: Abilities) -> bool:
    """Whether the kernels compile and run on this card."""
    if not able.triton:
        return False
    lack = lacking()
    return lack is None


@cache
def lacking() -> str | None:
    """What keeps Triton from compiling here, said once in the log; None where it works."""
    lack = None if find_spec("triton") else "triton is not installed"
    if lack is None:
        from triton.runtime.driver import driver

        try:
            driver.active.get_current_target()
        except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
            lack = str(error)
    if lack is not None:
        log.warning("slower without kernels of our own", reason=lack, remedy="pip install triton; apt install gcc python3-dev")
    return lack


def fits(language: Llama) -> bool:
    """LoRA branches, other types and heads or matrices of odd widths are plain torch's."""
    linears = [module for module in language.modules() if isinstance(module, Linear)]
    head_dim = language.config.head_dim
    return (
        language.dtype in TYPES
        and head_dim >= 16
        and head_dim & (head_dim - 1) == 0
        and all(linear.lora is None and linear.width_in % 16 == 0 for linear in linears)
    )
