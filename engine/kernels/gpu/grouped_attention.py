"""`engine.kernels.gpu.attention` for models whose query heads share keys (grouped-query attention, Ainslie et al. 2023).

One program takes all query heads of one head of keys, by the tensor cores, so that keys and values are read once for all of them.
"""

from __future__ import annotations

import triton
import triton.language as tl

from engine.kernels.gpu.attention import LOG2E, NEVER, add, halves, norm, put_together, shares, store_halves, turn
from engine.kernels.gpu.dot_products import follow

MEMBERS = 16  # query heads of a program: as many rows as a product of the tensor cores has at least
TILE = 16  # tokens a step
STAGES = 2  # steps under way at a time
SPLITS, LEAST = 16, 128  # most programs for one head of keys of one row, and tokens that are worth one more of them
FEW = 64  # heads of keys in all rows


def suits(rows: int, heads: int, kv_heads: int, head_dim: int) -> bool:
    """Whether query heads share keys, no more of them than a program takes, and halves of their vectors fill a tensor core.

    A few rows are read faster by more programs that each take one query head.
    """
    return rows * kv_heads > FEW and 1 < heads // kv_heads <= MEMBERS and head_dim >= 32


@triton.jit
def halves_of_each(start, member, HALF: tl.constexpr, HEAD_DIM: tl.constexpr, GROUP: tl.constexpr):
    """The vectors of a group's heads in two halves, [members, HALF] each."""
    places = start + (member * HEAD_DIM)[:, None] + tl.arange(0, HALF)[None, :]
    there = (member < GROUP)[:, None]
    return tl.load(places, there, 0).to(tl.float32), tl.load(places + HALF, there, 0).to(tl.float32)


@triton.jit
def norm_each(left, right, gain, eps, HALF: tl.constexpr):
    """RMSNorm of each head's vector."""
    gain_left, gain_right = halves(gain, HALF)
    factor = 1 / tl.sqrt(tl.sum(left * left + right * right, axis=1) / (2 * HALF) + eps)[:, None]
    return left * factor * gain_left[None, :], right * factor * gain_right[None, :]


@triton.jit(do_not_specialize=["table_stride"])
def attend_group_kernel(
    query, key, value, keys, values, tables, lengths, positions, frequencies, bias, query_gain, key_gain, eps, out, partials, finished,
    query_stride, key_stride, value_stride, table_stride,
    HEADS: tl.constexpr, KV_HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, BLOCK: tl.constexpr, MEMBERS: tl.constexpr, TILE: tl.constexpr,
    SPLITS: tl.constexpr, LEAST: tl.constexpr, STAGES: tl.constexpr, OVERLAP: tl.constexpr,
):  # fmt: skip
    split, kv_head, row = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    HALF: tl.constexpr = HEAD_DIM // 2
    GROUP: tl.constexpr = HEADS // KV_HEADS
    SCALE: tl.constexpr = LOG2E / HEAD_DIM**0.5
    follow(OVERLAP)
    length = tl.load(lengths + row)
    share, programs = shares(length, TILE, SPLITS, LEAST)
    if split >= programs:
        return
    member, part, lane = tl.arange(0, MEMBERS), tl.arange(0, HALF), tl.arange(0, TILE)
    first = kv_head * GROUP
    q_left, q_right = halves_of_each(query + row * query_stride + first * HEAD_DIM, member, HALF, HEAD_DIM, GROUP)
    k_left, k_right = halves(key + row * key_stride + kv_head * HEAD_DIM, HALF)
    v_left, v_right = halves(value + row * value_stride + kv_head * HEAD_DIM, HALF)
    if bias is not None:
        more_left, more_right = halves_of_each(bias + first * HEAD_DIM, member, HALF, HEAD_DIM, GROUP)
        q_left, q_right = q_left + more_left, q_right + more_right
        k_left, k_right = add(k_left, k_right, bias + (HEADS + kv_head) * HEAD_DIM, HALF)
        v_left, v_right = add(v_left, v_right, bias + (HEADS + KV_HEADS + kv_head) * HEAD_DIM, HALF)
    if query_gain is not None:
        q_left, q_right = norm_each(q_left, q_right, query_gain, eps, HALF)
        k_left, k_right = norm(k_left, k_right, key_gain, eps, HALF)
    if frequencies is not None:
        angle = tl.load(positions + row) * tl.load(frequencies + part)
        cos, sin = tl.cos(angle), tl.sin(angle)
        q_left, q_right = turn(q_left, q_right, cos[None, :], sin[None, :])
        k_left, k_right = turn(k_left, k_right, cos, sin)
    own = tl.sum(q_left * k_left[None, :] + q_right * k_right[None, :], axis=1) * SCALE  # the new token's scores are the first program's
    peak, total = tl.where(split == 0, own, NEVER), tl.where(split == 0, 1.0, tl.zeros_like(own))
    mixed_left, mixed_right = total[:, None] * v_left[None, :], total[:, None] * v_right[None, :]
    table = tables + row * table_stride
    if split == 0:
        block = tl.load(table + length // BLOCK).to(tl.int64)
        place = ((block * BLOCK + length % BLOCK) * KV_HEADS + kv_head) * HEAD_DIM
        store_halves(keys + place, k_left, k_right, HALF)
        store_halves(values + place, v_left, v_right, HALF)

    q_left, q_right = q_left.to(keys.dtype.element_ty), q_right.to(keys.dtype.element_ty)
    end = tl.minimum(length, split * share + share)
    for start in tl.range(split * share, end, TILE, num_stages=STAGES):
        token, live = start + lane, start + lane < end
        blocks = tl.load(table + token // BLOCK, live, 0).to(tl.int64)
        places = (((blocks * BLOCK + token % BLOCK) * KV_HEADS + kv_head) * HEAD_DIM)[:, None] + part[None, :]
        old_k_left, old_k_right = tl.load(keys + places, live[:, None], 0), tl.load(keys + places + HALF, live[:, None], 0)
        old_v_left, old_v_right = tl.load(values + places, live[:, None], 0), tl.load(values + places + HALF, live[:, None], 0)
        scores = tl.dot(q_right, old_k_right.T, tl.dot(q_left, old_k_left.T)) * SCALE
        scores = tl.where(live[None, :], scores, -float("inf"))
        higher = tl.maximum(peak, tl.max(scores, axis=1))
        fade, weight = tl.exp2(peak - higher), tl.exp2(scores - higher[:, None])
        peak, total = higher, total * fade + tl.sum(weight, axis=1)
        weight = weight.to(old_v_left.dtype)
        mixed_left = tl.dot(weight, old_v_left, mixed_left * fade[:, None])
        mixed_right = tl.dot(weight, old_v_right, mixed_right * fade[:, None])

    there = member < GROUP
    heads = row * HEADS + first + member
    if programs == 1:
        answers = out + (heads * HEAD_DIM)[:, None] + part[None, :]
        tl.store(answers, mixed_left / total[:, None], there[:, None])
        tl.store(answers + HALF, mixed_right / total[:, None], there[:, None])
        return
    mine = partials + (heads * SPLITS + split) * (HEAD_DIM + 2)
    tl.store(mine[:, None] + part[None, :], mixed_left, there[:, None])
    tl.store(mine[:, None] + HALF + part[None, :], mixed_right, there[:, None])
    tl.store(mine + HEAD_DIM, peak, there)
    tl.store(mine + HEAD_DIM + 1, total, there)
    tl.debug_barrier()  # the whole program has stored
    index = row * KV_HEADS + kv_head
    if tl.atomic_add(finished + index, 1, sem="acq_rel") == programs - 1:
        tl.store(finished + index, 0)
        for number in range(GROUP):
            head = row * HEADS + first + number
            put_together(out + head * HEAD_DIM, partials + head * (SPLITS * (HEAD_DIM + 2)), programs, HEAD_DIM, SPLITS)
