"""Makes modules without memory and without initial values, for weights that are about to be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode


class _NoInit(TorchFunctionMode):
    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if getattr(func, "__module__", "") == "torch.nn.init":
            return given.get("tensor", args[0] if args else None)
        return func(*args, **given)


@contextmanager
def without_memory() -> Iterator[None]:
    """On the meta device. Random values there would cost torch a second to import its compiler, which works them out."""
    with torch.device("meta"), _NoInit():
        yield


def allocate(module: nn.Module, device: torch.device) -> None:
    """Gives a module without memory its own on `device`, with nothing in it. torch's `to_empty` would import its symbolic shapes for it."""
    for part in module.modules():
        for name, parameter in part.named_parameters(recurse=False):
            empty = torch.empty(parameter.shape, dtype=parameter.dtype, device=device)
            setattr(part, name, nn.Parameter(empty, parameter.requires_grad))
        for name, buffer in part.named_buffers(recurse=False):
            setattr(part, name, torch.empty(buffer.shape, dtype=buffer.dtype, device=device))
