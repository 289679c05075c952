"""The kernels of `engine/kernels/gpu/cuda`, compiled for the processor: see host.hpp."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import torch

from engine.kernels.gpu.cuda_driver import SOURCES
from engine.kernels.gpu.cuda_launcher import CudaLauncher
from engine.kernels.gpu.cuda_parameters import Structure

GXX = shutil.which("g++") or ""
SHIM = Path(__file__).with_name("host.hpp")
NAMES = re.compile(r"(?:KERNEL\((\w+), \d)|(?:__global__ .*? (\w+)\(const)")


class HostKernel:
    def __init__(self, function: ctypes._NamedFuncPointer) -> None:
        self.function = function

    def launch(self, call: Structure, grid: tuple[int, int, int], threads: int, shared: int = 0) -> None:
        self.function(ctypes.byref(call), *grid, threads, ctypes.c_long(shared))


class HostModule:
    """One source with its definitions."""

    def __init__(self, folder: Path, source: str, definitions: Sequence[str]) -> None:
        text = "".join(f"#define {definition}\n" for definition in definitions)
        text = f'#include "{SHIM}"\n{text}#include "{SOURCES / source}"\n'
        names = NAMES.findall((SOURCES / source).read_text() + text)
        kernels = {name or other for name, other in names} - {"NAME"}
        text += "".join(f"RUN({name})\n" for name in sorted(kernels))
        path = folder / f"{source}-{abs(hash(text))}.cpp"
        path.write_text(text)
        library = path.with_suffix(".so")
        subprocess.run(
            [GXX, "-std=c++17", "-O0", "-w", "-shared", "-fPIC", "-o", library, path],
            check=True,
        )
        self.library = ctypes.CDLL(str(library))

    def kernel(self, name: str) -> HostKernel:
        return HostKernel(self.library[f"run_{name}"])


def host_launcher(folder: Path) -> CudaLauncher:
    """Launches the kernels on the CPU; `folder` is where they are compiled."""
    return CudaLauncher(torch.device("cpu"), lambda source, definitions: HostModule(folder, source, definitions))
