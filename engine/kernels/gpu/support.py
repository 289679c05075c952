"""Which GPU kernels can run here; without them plain torch computes the same. The log says once what is missing.

It imports the modules of this package only where they can run: most of them need Triton.
"""

from __future__ import annotations

import subprocess
from functools import cache
from importlib.util import find_spec

import structlog
import torch

from engine.device.devices import Abilities
from engine.kernels.decode_step import DecodeStep, Say
from engine.kernels.linear import DeviceKernels
from engine.layers.linear import Linear
from engine.layers.quantized import QuantizedLinear
from engine.models.llama.llama import Llama

log = structlog.get_logger()
TYPES = (torch.float16, torch.bfloat16)


def build_step(language: Llama, able: Abilities, say: Say = lambda line: None) -> DecodeStep | None:
    """The decode step of this model in GPU kernels; its prompts use them too. None where card, installation or model don't allow it.

    The log says what is missing, once a process; `say` is there for the CPU's sake, whose `build_step` has the same parameters.
    """
    if not fits(language):
        return None
    if not has_lora(language) and (quantised(language) or not available(able)):
        step = build_cuda_step(language, able)
        if step is not None:
            return step
    return build_triton_step(language) if available(able) else None


def build_cuda_step(language: Llama, able: Abilities) -> DecodeStep | None:
    """A step by kernels in CUDA's C++; None where they can't compute this model or can't be compiled, which the log says."""
    from engine.kernels.gpu.cuda_driver import DriverError, nvrtc
    from engine.kernels.gpu.cuda_linear import suits
    from engine.kernels.gpu.step import GpuStep

    capability = able.capability
    if capability is None or not suits(language):
        return None
    if nvrtc() is None:
        log.warning(
            "slower without kernels in CUDA's C++", reason="NVRTC is not installed", remedy="install torch for CUDA, which brings it"
        )
        return None
    try:
        return GpuStep(language, lambda device: cuda_kernels(device, capability, triton_attention=available(able)))
    except DriverError as error:
        log.warning("slower without kernels in CUDA's C++", reason=str(error))
        return None


def cuda_kernels(device: torch.device, capability: tuple[int, int], triton_attention: bool) -> DeviceKernels:
    """Linear layers in CUDA's C++; attention too, unless Triton's can run, which is faster. Raises DriverError."""
    from engine.kernels.gpu.cuda_attention import CudaAttention
    from engine.kernels.gpu.cuda_launcher import CudaLauncher
    from engine.kernels.gpu.cuda_linear import CudaLinear

    launcher = CudaLauncher.of(device, capability)
    if not triton_attention:
        return DeviceKernels(CudaLinear(launcher), CudaAttention(launcher))
    from engine.kernels.gpu.triton_kernels import triton_kernels

    linear = CudaLinear(launcher)
    ours = triton_kernels(device, linear)
    return DeviceKernels(linear, ours.attend, ours.prompts)


def build_triton_step(language: Llama) -> DecodeStep:
    from engine.kernels.gpu.lora_step import LoraStep
    from engine.kernels.gpu.prompt_linear import read_codes
    from engine.kernels.gpu.step import GpuStep
    from engine.kernels.gpu.triton_kernels import triton_kernels

    read_codes(language)
    return LoraStep(language) if has_lora(language) else GpuStep(language, triton_kernels)


def available(able: Abilities) -> bool:
    """Whether the kernels compile and run on this card."""
    if not able.triton:
        return False
    return lacking() is None


@cache
def lacking() -> str | None:
    """What keeps Triton from compiling here, which the log says once; None if nothing does."""
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
    """Whether the kernels can compute this model: fp16 or bf16, head_dim a power of two from 16 on, widths that are multiples of 16,
    and no YaRN, whose rotations also stretch.
    """
    head_dim = language.config.head_dim
    if language.config.rope_magnitude != 1:
        return False
    widths = [linear.width_in for linear in projections(language)]
    return language.dtype in TYPES and head_dim >= 16 and head_dim.bit_count() == 1 and all(width % 16 == 0 for width in widths)


def has_lora(language: Llama) -> bool:
    return any(linear.lora is not None for linear in projections(language))


def quantised(language: Llama) -> bool:
    return any(isinstance(linear, QuantizedLinear) for linear in projections(language))


def projections(language: Llama) -> list[Linear]:
    return [module for module in language.modules() if isinstance(module, Linear)]
