"""Makes modules without memory and without initial values, for weights that are about to be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
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
