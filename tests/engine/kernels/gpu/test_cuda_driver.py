"""Every kernel in CUDA's C++ becomes machine code for cards, old and new."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from engine.kernels.gpu.cuda_driver import compile_source, nvrtc, whole_source
from engine.kernels.gpu.cuda_tile_sizes import kernels

NVCC = shutil.which("nvcc")
MORE_FORMS = ("project.cu 8", "project.cu 16")  # by the same sources
SOURCES = ("project.cu 4", *MORE_FORMS, "attend.cu", "rows.cu")


@pytest.mark.skipif(nvrtc() is None and NVCC is None, reason="NOT TESTED: machine code for cards, for neither NVRTC nor nvcc is here")
@pytest.mark.parametrize(
    ("source", "capability"),
    [
        *((source, (7, 5)) for source in SOURCES),
        *((source, (9, 0)) for source in SOURCES if source not in MORE_FORMS),
        *(pytest.param(source, (9, 0), marks=pytest.mark.sweep) for source in MORE_FORMS),
    ],
)
def test_every_kernel_of_a_7b_becomes_machine_code(source: str, capability: tuple[int, int], tmp_path: Path) -> None:
    name, _, bits = source.partition(" ")
    definitions = [f"FORM {bits}", kernels(int(bits))] if bits else ["HEAD_DIM 128"]
    assert machine_code(whole_source(name, definitions), capability, tmp_path)[:4] == b"\x7fELF"


def machine_code(text: str, capability: tuple[int, int], folder: Path) -> bytes:
    if nvrtc() is not None:
        return compile_source(text, capability)
    source, image = folder / "kernels.cu", folder / "kernels.cubin"
    source.write_text(text)
    hasty = "-Xcicc=-O1", "-Xptxas=-O1"  # nobody runs it
    command = [NVCC or "", f"-arch=sm_{capability[0]}{capability[1]}", "-std=c++17", *hasty, "-cubin", "-o", str(image), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    return image.read_bytes()
