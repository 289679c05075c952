"""How a product is cut into programs, by its rows and its matrix' shape; measured on an H200 with Vicuna's matrices in 4 and 8 bits."""

from __future__ import annotations

from dataclasses import dataclass

FEATURES = 16  # of a tile
STAGED = 16384  # inputs of one row that a program keeps in its 48 KB of shared memory
MANY = 8192  # features or inputs


@dataclass(frozen=True)
class CudaTiling:
    """`tiles` of 16 features a program, `warps` that share their inputs, `ahead` loads in flight, `splits` programs that share a tile."""

    tiles: int
    warps: int
    ahead: int
    at_once: int  # programs on a multiprocessor
    splits: int = 1


NARROW, LONG, WIDE = range(3)  # few features; few features of many inputs; many features
TILINGS = {  # by the most rows
    1: (CudaTiling(1, 8, 4, 2), CudaTiling(4, 8, 1, 2, splits=4), CudaTiling(4, 8, 1, 2)),
    8: (CudaTiling(1, 8, 2, 3), CudaTiling(4, 8, 1, 2, splits=4), CudaTiling(4, 8, 1, 2)),
    16: (CudaTiling(1, 8, 4, 2), CudaTiling(2, 8, 2, 2, splits=2), CudaTiling(2, 8, 2, 2)),
    32: (CudaTiling(2, 8, 1, 2), CudaTiling(2, 8, 1, 2, splits=2), CudaTiling(2, 4, 2, 3)),
    64: (CudaTiling(1, 8, 2, 2), CudaTiling(2, 4, 1, 2, splits=2), CudaTiling(2, 4, 1, 3)),
}
MOST_ROWS = max(TILINGS)
SHAPES = ("narrow", "long", "wide")


def size_of(rows: int, width_in: int) -> int:
    """The smallest number of rows that there is a kernel for and that `rows` fit into."""
    return min(size for size in TILINGS if size >= rows and (size > 1 or width_in <= STAGED))


def shape_of(features: int, width_in: int) -> int:
    if features > MANY:
        return WIDE
    return LONG if width_in > MANY else NARROW


def kernel_name(size: int, shape: int) -> str:
    return f"rows{size}_{SHAPES[shape]}"


def kernels(bits: int) -> str:
    """The `#define` that `cuda/project.cu` makes its kernels from; a load of halves takes as many registers as two of codes."""
    share = 1 if bits < 16 else 2
    made = []
    for size, tilings in TILINGS.items():
        for shape, tiling in enumerate(tilings):
            shapes = (max(1, size // 8), tiling.tiles, tiling.warps, max(1, tiling.ahead // share), tiling.at_once, int(size == 1))
            made.append(f"KERNEL({kernel_name(size, shape)}, {', '.join(map(str, shapes))})")
    return f"KERNELS {' '.join(made)}"
