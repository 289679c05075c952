"""The sizes that matrices and sequences are cut into; layout, products and attention share them."""

from __future__ import annotations

HALF_TILE = 16  # floats in a vector: one AVX-512 register, two of AVX2, four of NEON
TILE = 2 * HALF_TILE  # outputs whose codes lie together
QUAD = 4  # inputs whose codes one output has side by side: what one instruction multiplies and adds up
CHUNK = QUAD * HALF_TILE  # bytes of a vector of codes
MOST_ROWS = 8  # of one product: their sums fit into 32 vector registers beside the weights
BATCH = 32  # rows of one step
LARGEST_HEAD = 128  # head_dim, a multiple of HALF_TILE
SPAN = 64  # tokens that one piece of attention covers: whole blocks
