"""Memory in pages of 2 MB, where the system has them: far fewer addresses to look up while weights are read."""

from __future__ import annotations

import contextlib
import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

PAGE = 2 << 20


def empty(shape: tuple[int, ...], kind: npt.DTypeLike) -> npt.NDArray[Any]:
    """An array of what happens to be in memory; a small one lies in pages as usual."""
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    if size < PAGE or not hasattr(mmap, "MADV_HUGEPAGE"):
        return np.empty(shape, kind)
    memory = mmap.mmap(-1, size + PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError):  # a kernel without them
        memory.madvise(mmap.MADV_HUGEPAGE)
    whole = np.frombuffer(memory, np.uint8)
    first = -whole.ctypes.data % PAGE
    return whole[first : first + size].view(kind).reshape(shape)


def moved(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A copy in such pages."""
    copy = empty(array.shape, array.dtype)
    copy[:] = array
    return copy
