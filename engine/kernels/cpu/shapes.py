"""The sizes that matrices are cut into, so that packing, products and attention agree."""

from __future__ import annotations

HALF_TILE = 16  # floats in a vector: one AVX-512 register, two of AVX2, four of NEON
TILE = 2 * HALF_TILE  # outputs whose codes lie together
MOST_ROWS = 8  # whose sums fit into 32 vector registers beside the weights
LARGEST_HEAD = 128  # head_dim, a multiple of HALF_TILE
SPAN = 64  # tokens that a piece of attention covers, some whole blocks
