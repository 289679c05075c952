"""Attention over packed prompts whose keys and values lie in blocks: what is new is rotated and kept, then all is attended to.

A program is one head of one tile of tokens, and goes through its past with a running softmax (Dao et al. 2022).
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from engine.kernels.attention import AttentionInputs
from engine.kernels.gpu.attention import LOG2E, NEVER, turn
from engine.kernels.gpu.dot_products import follow
from engine.kernels.gpu.triton_device import TritonDevice
from engine.kernels.prompts import TILE, PromptTiles

STEP = 64  # tokens of the past at a time
HEADS_AT_ONCE = 4  # of a token, that one program keeps


@triton.jit(do_not_specialize=["table_stride"])
def keep_kernel(
    key, value, keys, values, tables, starts, counts, angles, key_stride, value_stride, table_stride,
    KV_HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, BLOCK: tl.constexpr, TILE: tl.constexpr, AT_ONCE: tl.constexpr,
    OVERLAP: tl.constexpr,
):  # fmt: skip
    """One token's keys, rotated, and values go into the cache."""
    follow(OVERLAP)
    HALF: tl.constexpr = HEAD_DIM // 2
    token = tl.program_id(0)
    tile, within = token // TILE, token % TILE
    if within >= tl.load(counts + tile):
        return
    head, part = tl.program_id(1) * AT_ONCE + tl.arange(0, AT_ONCE)[:, None], tl.arange(0, HALF)[None, :]
    live = head < KV_HEADS
    at = tl.load(starts + tile) + within
    new_key, new_value = key + token * key_stride + head * HEAD_DIM + part, value + token * value_stride + head * HEAD_DIM + part
    left, right = tl.load(new_key, live, 0).to(tl.float32), tl.load(new_key + HALF, live, 0).to(tl.float32)
    angle = tl.load(angles + token * HALF + part)
    left, right = turn(left, right, tl.cos(angle), tl.sin(angle))
    block = tl.load(tables + tile * table_stride + at // BLOCK).to(tl.int64)
    place = ((block * BLOCK + at % BLOCK) * KV_HEADS + head) * HEAD_DIM + part
    tl.store(keys + place, left, live)
    tl.store(keys + place + HALF, right, live)
    tl.store(values + place, tl.load(new_value, live, 0), live)
    tl.store(values + place + HALF, tl.load(new_value + HALF, live, 0), live)


@triton.jit(do_not_specialize=["table_stride"])
def attend_kernel(
    query, keys, values, tables, starts, counts, angles, out, query_stride, table_stride,
    HEADS: tl.constexpr, KV_HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, BLOCK: tl.constexpr, TILE: tl.constexpr, STEP: tl.constexpr,
    OVERLAP: tl.constexpr,
):  # fmt: skip
    follow(OVERLAP)
    tile, head = tl.program_id(0), tl.program_id(1)
    HALF: tl.constexpr = HEAD_DIM // 2
    start, count = tl.load(starts + tile), tl.load(counts + tile)
    part, row = tl.arange(0, HEAD_DIM), tile * TILE + tl.arange(0, TILE)
    position, end = start + tl.arange(0, TILE), start + tl.where(count > 0, count, -start)
    asked = query + row[:, None] * query_stride + head * HEAD_DIM
    q = tl.load(asked + part[None, :])
    across = tl.load(asked + ((part + HALF) % HEAD_DIM)[None, :]).to(tl.float32)  # what each feature is turned with
    angle = tl.load(angles + row[:, None] * HALF + (part % HALF)[None, :])
    turned = q.to(tl.float32) * tl.cos(angle) + tl.where(part < HALF, -1.0, 1.0)[None, :] * across * tl.sin(angle)
    q = (turned * (LOG2E / HEAD_DIM**0.5)).to(q.dtype)
    peak, total = tl.full((TILE,), NEVER, tl.float32), tl.zeros((TILE,), tl.float32)
    mixed = tl.zeros((TILE, HEAD_DIM), tl.float32)
    for first in range(0, end, STEP):
        token = first + tl.arange(0, STEP)
        live = token < end
        blocks = tl.load(tables + tile * table_stride + token // BLOCK, live, 0).to(tl.int64)
        place = (((blocks * BLOCK + token % BLOCK) * KV_HEADS + head // (HEADS // KV_HEADS)) * HEAD_DIM)[:, None] + part[None, :]
        scores = tl.dot(q, tl.load(keys + place, live[:, None], 0).T)
        scores = tl.where(live[None, :] & (token[None, :] <= position[:, None]), scores, NEVER)
        higher = tl.maximum(peak, tl.max(scores, axis=1))
        fade, weight = tl.exp2(peak - higher), tl.exp2(scores - higher[:, None])
        peak, total = higher, total * fade + tl.sum(weight, axis=1)
        mixed = tl.dot(weight.to(q.dtype), tl.load(values + place, live[:, None], 0), mixed * fade[:, None])
    answer = out + (row[:, None] * HEADS + head) * HEAD_DIM + part[None, :]
    tl.store(answer, mixed / tl.where(total > 0, total, 1.0)[:, None])


def attend_prompts(device: TritonDevice, inputs: AttentionInputs, tiles: PromptTiles, angles: Tensor) -> Tensor:
    """See `engine.kernels.prompts.PromptKernels`."""
    query, key, value, keys, values = inputs[:5]
    tokens, heads, head_dim = query.shape
    block, kv_heads = keys.shape[1:3]
    out = torch.empty(tokens, heads, head_dim, dtype=query.dtype, device=query.device)
    keep_kernel[(tokens, triton.cdiv(kv_heads, HEADS_AT_ONCE))](
        key, value, keys, values, tiles.tables, tiles.starts, tiles.counts, angles, key.stride(0), value.stride(0), tiles.tables.stride(0),
        kv_heads, head_dim, block, TILE, HEADS_AT_ONCE, device.overlap, num_warps=1, **device.early,
    )  # fmt: skip
    attend_kernel[(tokens // TILE, heads)](
        query, keys, values, tiles.tables, tiles.starts, tiles.counts, angles, out, query.stride(0), tiles.tables.stride(0),
        heads, kv_heads, head_dim, block, TILE, STEP, device.overlap, num_warps=4, num_stages=2, **device.early,
    )  # fmt: skip
    return out
