"""Copies small tensors between host and device asynchronously, which needs pinned memory on the host."""

from __future__ import annotations

import torch
from torch import Tensor


def upload(tensor: Tensor, device: torch.device) -> Tensor:
    """`tensor` of the host, expanded or not, on `device`; on CUDA the copy is queued behind the work under way."""
    return tensor.contiguous().pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


def download(tensor: Tensor) -> Tensor:
    """A copy of `tensor` on the host; from CUDA its numbers are there once the device has done the work queued so far."""
    if not tensor.is_cuda:
        return tensor.clone()
    return torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True).copy_(tensor, non_blocking=True)
