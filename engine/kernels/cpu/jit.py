"""How this package's functions become machine code: free of the interpreter's lock, and kept on disk once compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., object])


def kernel(function: F) -> F:
    """Compiled at its first call. Sums may be reordered, as vector units do; nothing here computes with NaN or infinity."""
    return cast("F", njit(function, nogil=True, fastmath=True, error_model="numpy", cache=True))


def instruction(typed: Callable[..., Any]) -> Callable[..., Any]:
    """What a kernel may call although it is written in LLVM's terms; `typed` gives its type and its generator."""
    return cast("Callable[..., Any]", intrinsic(typed))
