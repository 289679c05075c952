"""Fixtures of the GPU kernels' tests: without a card Triton's interpreter runs Triton's kernels, and a host compiler the others."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import torch

from tests.engine.kernels.gpu.host import host_launcher

if TYPE_CHECKING:
    from engine.kernels.gpu.cuda_launcher import CudaLauncher
    from engine.kernels.gpu.triton_device import TritonDevice

DEVICE = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")


@pytest.fixture
def device() -> Iterator[TritonDevice]:
    """Where Triton's kernels run; tensors are made there too."""
    from engine.kernels.gpu.triton_device import TritonDevice

    with DEVICE:
        yield TritonDevice.of(DEVICE)


@pytest.fixture(scope="session")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> CudaLauncher:
    if shutil.which("g++") is None:
        pytest.skip("NOT TESTED: the kernels in CUDA's C++, for there is no g++ here")
    return host_launcher(tmp_path_factory.mktemp("kernels"))


@pytest.fixture(autouse=True)
def same_numbers_every_time() -> None:
    torch.manual_seed(0)
