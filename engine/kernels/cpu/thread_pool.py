"""Threads that share a decode step: each takes the next piece of work when it is free, and none waits for one that has not begun.

A step has over a hundred stages of some microseconds, so the pieces are handed out by an atomic counter and waited for in
a loop. A thread that the system has put aside holds up the others by the piece in its hand at most.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils

from engine.kernels.cpu.jit import instruction, kernel
from engine.kernels.cpu.vectors import INT64, Value

Counters = npt.NDArray[np.int64]  # [stages, 2, LINE]: pieces taken, pieces finished
LINE = 8  # counters that a cache line holds; each has one for itself
PATIENCE = 2_000  # looks at a counter before the processor is offered to others


class ThreadPool:
    """`threads` threads, the caller's among them. `run` calls the same function on each and returns when all have returned."""

    def __init__(self, threads: int) -> None:
        self.helpers = threads - 1
        self.pool = ThreadPoolExecutor(max(1, self.helpers), thread_name_prefix="decode")

    def run(self, function: Callable[..., object], *arguments: object) -> None:
        helping = [self.pool.submit(function, *arguments) for _ in range(self.helpers)]
        function(*arguments)
        for helper in helping:
            helper.result()


def new_counters(stages: int) -> Counters:
    return np.zeros((stages, 2, LINE), np.int64)


@instruction
def add_atomically(_: Any, address: Any) -> Any:
    """Adds one to the integer at `address`; returns its value before."""

    def generate(context: Any, builder: ir.IRBuilder, __: Any, values: list[Value]) -> Value:
        return builder.atomic_rmw("add", builder.inttoptr(values[0], INT64.as_pointer()), ir.Constant(INT64, 1), "acq_rel")

    return types.int64(types.int64), generate


@instruction
def read_atomically(_: Any, address: Any) -> Any:
    """Reads the integer at `address`; what its writer wrote before is visible too (acquire)."""

    def generate(context: Any, builder: ir.IRBuilder, __: Any, values: list[Value]) -> Value:
        return builder.load_atomic(builder.inttoptr(values[0], INT64.as_pointer()), "acquire", 8)

    return types.int64(types.int64), generate


@instruction
def yield_processor(_: Any) -> Any:
    """Lets another thread run, if one is waiting."""

    def generate(context: Any, builder: ir.IRBuilder, __: Any, values: list[Value]) -> Value:
        kind = ir.FunctionType(ir.IntType(32), [])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), generate


@kernel
def take(counters: Counters, stage: int) -> int:
    """Takes a piece of a stage: its number, which no other thread gets."""
    piece: int = add_atomically(counters[stage, 0].ctypes.data)
    return piece


@kernel
def take_another(counters: Counters, stage: int) -> int:
    """Reports the piece in hand as finished, and takes another."""
    add_atomically(counters[stage, 1].ctypes.data)
    return take(counters, stage)


@kernel
def wait(counters: Counters, stage: int, pieces: int) -> None:
    """Waits until all pieces of this stage are finished."""
    looks = 0
    while read_atomically(counters[stage, 1].ctypes.data) < pieces:
        looks += 1
        if looks > PATIENCE:
            yield_processor()
