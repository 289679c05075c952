"""Decoding on a CPU: a step of a small 4-bit language model as machine code, made for the processor at hand.

What this can't do stays with plain torch: other precisions, other shapes, a machine without numba.
"""

from __future__ import annotations

from pathlib import Path

import torch
from filelock import BaseFileLock, FileLock

from engine.device.devices import Abilities
from engine.kernels.cpu.shapes import HALF_TILE, LARGEST_HEAD, TILE
from engine.kernels.decode_step import DecodeStep, Say
from engine.kernels.jit_cache import cache_folder
from engine.layers.int4_cpu import PackedLinear
from engine.layers.linear import Linear
from engine.layers.quantized import QuantizedLinear
from engine.models.llama.llama import Llama

MOST_THREADS = 8  # a matrix has too few tiles for more


def build_step(language: Llama, able: Abilities, say: Say = lambda line: None) -> DecodeStep | None:
    """The decode step of this model in kernels compiled for this processor, which takes some ten seconds once a machine.

    None where plain torch has to do; `say` hears why. `able` is there for the GPU's sake, whose `build_step` has the same parameters.
    """
    if not fits(language):
        return None
    try:
        import numba
    except ImportError:
        say("numba is not installed: plain torch takes twice as long to decode; `pip install numba` brings it")
        return None
    numba.config.CACHE_DIR = numba.config.CACHE_DIR or str(cache_folder() or "")
    say("preparing the decode step for this processor: some ten seconds, the first time")
    try:
        from engine.kernels.cpu.step import CpuStep

        step = CpuStep(language, min(torch.get_num_threads(), MOST_THREADS))
        with compiling_once(Path(numba.config.CACHE_DIR)):
            step.warm_up()
    except (numba.errors.NumbaError, OSError) as error:
        say(f"the decode step can't be compiled here, and plain torch takes twice as long: {error}")
        return None
    return step


def compiling_once(folder: Path) -> BaseFileLock:
    """Held by the one process that compiles: engines that start together wait for it, and then fetch the code from `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / "compiling.lock")


def fits(language: Llama) -> bool:
    """In mode q4_1 in bf16 on a CPU, of shapes that make whole vectors and tiles."""
    projections = [module for module in language.model.modules() if isinstance(module, Linear)]
    head, head_dim = language.lm_head, language.config.head_dim
    return (
        language.device.type == "cpu"
        and language.dtype == torch.bfloat16
        and len(language.shard_sizes) == 1
        and all(isinstance(module, PackedLinear) and module.width_out % TILE == 0 for module in projections)
        and language.config.intermediate_size % TILE == 0
        and isinstance(head, QuantizedLinear)
        and head.weight.dtype == torch.int8
        and head_dim % HALF_TILE == 0
        and head_dim <= LARGEST_HEAD
    )
