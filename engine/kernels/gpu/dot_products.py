"""Products of a few rows of activations with a few rows of a matrix, in registers: the inner loops of `engine.kernels.gpu.linear`.

Each reads its share of the matrix once, as it is stored, past the caches.
"""

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

GROUP = tl.constexpr(64)  # 4-bit weights that share a scale; their low halves are the first 32, as `quantization.pack` lays them
HALF = tl.constexpr(32)
LINE = tl.constexpr(128)  # bytes that the cache takes at a time
AHEAD = tl.constexpr(16)  # lines of each row


@triton.jit
def follow(OVERLAP: tl.constexpr):
    """Waits until the kernel before has written; the one after may start from here on and load what does not depend on this one."""
    if OVERLAP:  # programmatic dependent launch: Hopper and later
        gdc_wait()
        gdc_launch_dependents()


@triton.jit
def fetch(matrix, WIDTH: tl.constexpr):
    """Prefetches the beginnings of the matrix' rows [TILE] into the second-level cache."""
    within = tl.minimum(tl.arange(0, AHEAD) * LINE, WIDTH * matrix.dtype.element_ty.primitive_bitwidth // 8 - 1)
    start = matrix.to(tl.int64, bitcast=True)[:, None] + within[None, :]
    tl.inline_asm_elementwise("prefetch.global.L2 [$1]; mov.b32 $0, 0;", "=r,l", [start], dtype=tl.int32, is_pure=False, pack=1)


@triton.jit
def block_of(rows, start, WIDTH: tl.constexpr, BLOCK: tl.constexpr):
    """Of pointers to rows [TILE] of WIDTH features: BLOCK of them from `start` on, 0 behind their end, read once."""
    inner = tl.arange(0, BLOCK)
    places = rows[:, None] + start + inner[None, :]
    if WIDTH % BLOCK == 0:  # a mask would cost a fifth of the speed
        return tl.load(places, eviction_policy="evict_first")
    return tl.load(places, (inner < WIDTH - start)[None, :], 0, eviction_policy="evict_first")


@triton.jit
def add_block(products, squares, w, x, gain, start, WIDTH: tl.constexpr, BLOCK: tl.constexpr):
    """Sums of products [TILE, BLOCK] and of x' squares [BLOCK], with those of the block `w` of the matrix added."""
    inner = start + tl.arange(0, BLOCK)
    part = tl.load(x + inner, inner < WIDTH, 0).to(tl.float32)
    if gain is not None:
        squares += part * part
        part *= tl.load(gain + inner, inner < WIDTH, 0).to(tl.float32)
    return products + w.to(tl.float32) * part[None, :], squares


@triton.jit
def one_row(x, matrix, gain, eps, WIDTH: tl.constexpr, BLOCK: tl.constexpr, STAGES: tl.constexpr, OVERLAP: tl.constexpr):
    """x [WIDTH] and pointers to rows `matrix` [TILE] → [TILE, 1] in fp32, of x behind its RMSNorm where there is a `gain`.

    The norm's factor is one number, which commutes with the product: it is known, and applied, at the end. The first block of the
    matrix is on its way before the kernel in front has written x.
    """
    products, squares = tl.zeros((matrix.shape[0], BLOCK), tl.float32), tl.zeros((BLOCK,), tl.float32)
    w = block_of(matrix, 0, WIDTH, BLOCK)
    if OVERLAP:
        fetch(matrix, WIDTH)
    follow(OVERLAP)
    products, squares = add_block(products, squares, w, x, gain, 0, WIDTH, BLOCK)
    for start in tl.range(BLOCK, WIDTH, BLOCK, num_stages=STAGES):
        w = block_of(matrix, start, WIDTH, BLOCK)
        products, squares = add_block(products, squares, w, x, gain, start, WIDTH, BLOCK)
    y = tl.sum(products, axis=1)
    if gain is not None:
        y *= tl.rsqrt(tl.sum(squares) / WIDTH + eps)
    return y[:, None]


@triton.jit
def few_rows(x, live, matrix, begin, end, BLOCK: tl.constexpr, STAGES: tl.constexpr):
    """Pointers to rows `x` [ROWS] of which some are `live`, and `matrix` [TILE] → [TILE, ROWS] in fp32, over features begin … end - 1.

    The matrix stands on the left, where the tensor cores take 64 rows at a time: it fills them, the activations would not.
    """
    inner = tl.arange(0, BLOCK)
    products = tl.zeros((matrix.shape[0], x.shape[0]), tl.float32)
    for start in tl.range(begin, end, BLOCK, num_stages=STAGES):
        w = tl.load(matrix[:, None] + start + inner[None, :], eviction_policy="evict_first")
        part = tl.load(x[:, None] + start + inner[None, :], live[:, None], 0)
        products = tl.dot(w.to(part.dtype), part.T, products)
    return products


@triton.jit
def few_rows_packed(x, live, matrix, scales, begin, end, BLOCK: tl.constexpr, STAGES: tl.constexpr):
    """`few_rows` of 4-bit codes: a product of the groups' first halves and one of their second."""
    group = tl.arange(0, BLOCK // GROUP)
    inner = tl.arange(0, HALF)
    column = tl.arange(0, BLOCK // 2)
    places = column // HALF * GROUP + column % HALF
    tiles = matrix[:, None, None] + group[None, :, None] * HALF + inner[None, None, :]
    products = tl.zeros((matrix.shape[0], x.shape[0]), tl.float32)
    for start in tl.range(begin, end, BLOCK, num_stages=STAGES):
        w = tl.load(tiles + start // 2, eviction_policy="evict_first")
        step = tl.load(scales[:, None] + start // GROUP + group[None, :])[:, :, None]
        first = tl.load(x[:, None] + start + places[None, :], live[:, None], 0)
        second = tl.load(x[:, None] + start + HALF + places[None, :], live[:, None], 0)
        low = (((w & 15).to(tl.float16) - 8) * step).to(first.dtype).reshape(matrix.shape[0], BLOCK // 2)
        high = (((w >> 4).to(tl.float16) - 8) * step).to(first.dtype).reshape(matrix.shape[0], BLOCK // 2)
        products = tl.dot(low, first.T, products)
        products = tl.dot(high, second.T, products)
    return products
