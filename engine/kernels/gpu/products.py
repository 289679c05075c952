"""What a few rows of activations and a few rows of a matrix give, in registers: the inner loops of `engine.kernels.gpu.projection`.

Each reads its share of the matrix once, in whatever it is stored, and streams it past the caches. The one-row forms
have their first tile under way before they wait for the kernel in front, so that memory is never idle between kernels.
"""

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

GROUP = tl.constexpr(64)  # 4-bit weights that share a scale; their low halves are the first 32, as `quantization.pack` lays them
HALF = tl.constexpr(32)


@triton.jit
def follow(OVERLAP: tl.constexpr):
    """Waits until the kernel in front has written; from here on the one behind may start and fetch what does not depend on us."""
    if OVERLAP:  # programmatic dependent launch: Hopper and later
        gdc_wait()
        gdc_launch_dependents()


@triton.jit
def one_row(x, matrix, gain, eps, WIDTH: tl.constexpr, BLOCK: tl.constexpr, OVERLAP: tl.constexpr):
    """x [WIDTH] and pointers to rows `matrix` [TILE] → [TILE, 1] in fp32, of x behind its RMSNorm where there is a `gain`."""
    inner = tl.arange(0, BLOCK)
    tiles = matrix[:, None] + inner[None, :]
    w = tl.load(tiles, inner[None, :] < WIDTH, 0, eviction_policy="evict_first")
    follow(OVERLAP)
    products = tl.zeros(w.shape, tl.float32)
    squares = tl.zeros((BLOCK,), tl.float32)
    for start in tl.range(0, WIDTH, BLOCK):
        left = WIDTH - start
        ahead = tl.load(tiles + start + BLOCK, inner[None, :] < left - BLOCK, 0, eviction_policy="evict_first")
        part = tl.load(x + start + inner, inner < left, 0).to(tl.float32)
        if gain is not None:
            squares += part * part
            part *= tl.load(gain + start + inner, inner < left, 0).to(tl.float32)
        products += w.to(tl.float32) * part[None, :]
        w = ahead
    y = tl.sum(products, axis=1)
    if gain is not None:
        y *= tl.rsqrt(tl.sum(squares) / WIDTH + eps)
    return y[:, None]


@triton.jit
def one_row_packed(x, matrix, scales, gain, eps, WIDTH: tl.constexpr, BLOCK: tl.constexpr, OVERLAP: tl.constexpr):
    """`one_row` of 4-bit codes; `matrix` and `scales` [TILE] point to rows of bytes and of fp16."""
    group = tl.arange(0, BLOCK // GROUP)[None, :, None]
    inner = tl.arange(0, HALF)[None, None, :]
    tiles = matrix[:, None, None] + group * HALF + inner
    steps = scales[:, None, None] + group
    w = tl.load(tiles, group * GROUP < WIDTH, 0, eviction_policy="evict_first")
    step = tl.load(steps, group * GROUP < WIDTH, 0)
    follow(OVERLAP)
    products = tl.zeros(w.shape, tl.float32)
    squares = tl.zeros((1, BLOCK // GROUP, HALF), tl.float32)
    for start in tl.range(0, WIDTH, BLOCK):
        left = WIDTH - start
        inside, more = group * GROUP < left, group * GROUP < left - BLOCK
        ahead = tl.load(tiles + (start + BLOCK) // 2, more, 0, eviction_policy="evict_first")
        step_ahead = tl.load(steps + (start + BLOCK) // GROUP, more, 0)
        places = start + group * GROUP + inner
        low, high = tl.load(x + places, inside, 0).to(tl.float32), tl.load(x + places + HALF, inside, 0).to(tl.float32)
        if gain is not None:
            squares += low * low + high * high
            low *= tl.load(gain + places, inside, 0).to(tl.float32)
            high *= tl.load(gain + places + HALF, inside, 0).to(tl.float32)
        codes = ((w & 15).to(tl.float32) - 8) * low + ((w >> 4).to(tl.float32) - 8) * high
        products += codes * step.to(tl.float32)
        w, step = ahead, step_ahead
    y = tl.sum(tl.sum(products, axis=2), axis=1)
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
