"""Decoding on a CPU: a step of a small 4-bit language model as machine code, made for the processor at hand.

What this can't do stays with plain torch: other precisions, other shapes, a machine without numba.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
import torch

from engine.models.linear import Linear
from engine.models.llama import Llama
from engine.models.packed import PackedLinear
from engine.models.quantized import QuantizedLinear

if TYPE_CHECKING:
    from engine.kernels.cpu.step import CpuStep

MOST_THREADS = 8  # a matrix has too few tiles for more
log = structlog.get_logger()


def build(language: Llama) -> CpuStep | None:
    """A step over this model's weights, compiled (some seconds once a machine); None where torch has to do.

    Machine code is kept in the data folder, in `engine/kernels`, or where numba keeps its own when there is no data folder.
    """
    if not fits(language):
        return None
    try:
        import numba
    except ImportError:
        log.warning("numba is not installed: plain torch takes twice as long to decode; `pip install numba` brings it")
        return None
    if not numba.config.CACHE_DIR and (home := os.environ.get("GANDER_HOME")):
        numba.config.CACHE_DIR = str(Path(home) / "engine" / "kernels" / version())
    log.info("preparing the decode step for this processor: some ten seconds, the first time")
    try:
        from engine.kernels.cpu.step import CpuStep

        step = CpuStep(language, min(torch.get_num_threads(), MOST_THREADS))
        step.warm_up()
    except (numba.errors.NumbaError, OSError) as error:
        log.warning("the decode step can't be compiled here: plain torch takes twice as long", error=str(error))
        return None
    return step


def fits(language: Llama) -> bool:
    """In mode q4_1 in bf16 on a CPU, of shapes that make whole vectors and tiles."""
    from engine.kernels.cpu.shapes import HALF_TILE, LARGEST_HEAD, TILE

    projections = [module for module in language.model.modules() if isinstance(module, Linear)]
    head, head_dim = language.lm_head, language.config.head_dim
    return (
        language.device.type == "cpu"
        and language.dtype == torch.bfloat16
        and len(language.stages) == 1
        and all(isinstance(module, PackedLinear) and module.width_out % TILE == 0 for module in projections)
        and language.config.intermediate_size % TILE == 0
        and isinstance(head, QuantizedLinear)
        and head.weight.dtype == torch.int8
        and head_dim % HALF_TILE == 0
        and head_dim <= LARGEST_HEAD
    )


def version() -> str:
    """Of these sources: numba itself looks at the one file that a function stands in, not at what that calls."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
