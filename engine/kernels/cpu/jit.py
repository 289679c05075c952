"""How functions here become machine code: by numba, without the interpreter's lock, cached on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., object])


def kernel(function: F) -> F:
    """Compiles `function` at its first call. Sums may be reordered, as vector units do; nothing here computes with NaN or infinity."""
    return cast("F", njit(function, nogil=True, fastmath=True, error_model="numpy", cache=True))


def instruction(typed: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a function that kernels can call out of LLVM instructions; `typed` returns its type and what emits them."""
    return cast("Callable[..., Any]", intrinsic(typed))
