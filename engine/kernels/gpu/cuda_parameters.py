"""The structures that the kernels in `cuda/` take, field for field as they are declared there."""

from __future__ import annotations

import ctypes
from ctypes import c_float, c_int, c_void_p

from torch import Tensor

GATED, WIDE = 1, 2


class Structure(ctypes.Structure):
    """A structure that is filled with tensors for its pointers, None for a null pointer."""

    def __init__(self, **values: Tensor | int | float | None) -> None:
        super().__init__(**{name: value.data_ptr() if isinstance(value, Tensor) else value for name, value in values.items()})


class ProjectCall(Structure):
    _fields_ = (
        *((name, c_void_p) for name in ("x", "weight", "scale", "gain", "shortcut", "out", "partials", "finished")),
        *((name, c_int) for name in ("rows", "width_in", "width_out", "features", "splits", "flags")),
        ("eps", c_float),
    )


class AttendCall(Structure):
    _fields_ = (
        *((name, c_void_p) for name in ("query", "key", "value", "keys", "values", "tables", "lengths", "positions")),
        *((name, c_void_p) for name in ("frequencies", "bias", "query_gain", "key_gain", "out", "partials", "finished")),
        *((name, c_int) for name in ("query_stride", "key_stride", "value_stride", "table_stride")),
        *((name, c_int) for name in ("heads", "kv_heads", "splits", "least")),
        ("eps", c_float),
    )


class NormaliseCall(Structure):
    _fields_ = (*((name, c_void_p) for name in ("x", "gain", "out")), ("width", c_int), ("eps", c_float))


class RestoreCall(Structure):
    _fields_ = (*((name, c_void_p) for name in ("weight", "scale", "out")), *((name, c_int) for name in ("width", "packed")))
