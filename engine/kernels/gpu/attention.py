"""Attention of one new token a row over keys and values in blocks, rotation and keeping included (Dao et al. 2023, flash-decoding).

A program is one warp that reads one head's share of one row's past; the last of a head's programs to finish joins their
partial softmaxes. Every lane of a tile keeps a softmax of its own (Milakov and Gimelshein 2018), so that the loop exchanges nothing.
"""

from __future__ import annotations

import triton
import triton.language as tl

from engine.kernels.gpu.dot_products import follow

LOG2E = tl.constexpr(1.4426950408889634)
NEVER = tl.constexpr(-1.0e30)  # a score that no token has; finite, so that differences of it are numbers
TILE = 8  # tokens a step
STAGES = 3  # steps under way at a time
MOST_SPLITS = 16


def sharing(rows_and_heads: int) -> tuple[int, int]:
    """(most programs for one head of one row, tokens that are worth one more of them): few heads are split finely, many only if long."""
    splits = max(4, min(MOST_SPLITS, triton.next_power_of_2(640 // rows_and_heads + 1) // 2))
    return splits, TILE if rows_and_heads < 500 else 160


@triton.jit
def shares(length, TILE: tl.constexpr, SPLITS: tl.constexpr, LEAST: tl.constexpr):
    """→ how many tokens each of a head's programs reads, about as many as the others, and how many programs there are."""
    wanted = tl.minimum(tl.maximum(length // LEAST, 1), SPLITS)
    share = tl.maximum(tl.cdiv(tl.cdiv(length, wanted), TILE) * TILE, TILE)
    return share, tl.maximum(tl.cdiv(length, share), 1)


@triton.jit
def halves(start, HALF: tl.constexpr):
    """A head's vector in two halves, [HALF] each, as rotary embeddings pair them."""
    part = tl.arange(0, HALF)
    return tl.load(start + part).to(tl.float32), tl.load(start + HALF + part).to(tl.float32)


@triton.jit
def store_halves(start, left, right, HALF: tl.constexpr):
    part = tl.arange(0, HALF)
    tl.store(start + part, left)
    tl.store(start + HALF + part, right)


@triton.jit
def turn(left, right, cos, sin):
    return left * cos - right * sin, right * cos + left * sin


@triton.jit
def add(left, right, start, HALF: tl.constexpr):
    more_left, more_right = halves(start, HALF)
    return left + more_left, right + more_right


@triton.jit
def norm(left, right, gain, eps, HALF: tl.constexpr):
    """RMSNorm of a head's vector."""
    gain_left, gain_right = halves(gain, HALF)
    factor = 1 / tl.sqrt(tl.sum(left * left + right * right) / (2 * HALF) + eps)
    return left * factor * gain_left, right * factor * gain_right


@triton.jit
def put_together(answer, partials_of_head, programs, HEAD_DIM: tl.constexpr, SPLITS: tl.constexpr):
    """Joins the partial softmaxes of a head's `programs` programs, [HEAD_DIM + 2] each: Σ weight · value, peak score, Σ weight."""
    HALF: tl.constexpr = HEAD_DIM // 2
    part, other = tl.arange(0, HALF)[None, :], tl.arange(0, SPLITS)
    partials_of_head += other * (HEAD_DIM + 2)
    there = other < programs
    peaks = tl.load(partials_of_head + HEAD_DIM, there, NEVER, cache_modifier=".cg")
    fades = tl.exp2(peaks - tl.max(peaks, axis=0))
    whole = tl.sum(tl.load(partials_of_head + HEAD_DIM + 1, there, 0, cache_modifier=".cg") * fades, axis=0)
    lefts = tl.load(partials_of_head[:, None] + part, there[:, None], 0, cache_modifier=".cg")
    rights = tl.load(partials_of_head[:, None] + HALF + part, there[:, None], 0, cache_modifier=".cg")
    left, right = tl.sum(lefts * fades[:, None], axis=0), tl.sum(rights * fades[:, None], axis=0)
    store_halves(answer, left / whole, right / whole, HALF)


@triton.jit(do_not_specialize=["table_stride"])
def attend_kernel(
    query, key, value, keys, values, tables, lengths, positions, frequencies, bias, query_gain, key_gain, eps, out, partials, finished,
    query_stride, key_stride, value_stride, table_stride,
    HEADS: tl.constexpr, KV_HEADS: tl.constexpr, HEAD_DIM: tl.constexpr, BLOCK: tl.constexpr, TILE: tl.constexpr,
    SPLITS: tl.constexpr, LEAST: tl.constexpr, STAGES: tl.constexpr, OVERLAP: tl.constexpr,
):  # fmt: skip
    split, head, row = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    HALF: tl.constexpr = HEAD_DIM // 2
    kv_head = head // (HEADS // KV_HEADS)
    follow(OVERLAP)
    length = tl.load(lengths + row)
    share, programs = shares(length, TILE, SPLITS, LEAST)
    if split >= programs:
        return
    q_left, q_right = halves(query + row * query_stride + head * HEAD_DIM, HALF)
    k_left, k_right = halves(key + row * key_stride + kv_head * HEAD_DIM, HALF)
    v_left, v_right = halves(value + row * value_stride + kv_head * HEAD_DIM, HALF)
    part, lane = tl.arange(0, HALF), tl.arange(0, TILE)
    if bias is not None:
        q_left, q_right = add(q_left, q_right, bias + head * HEAD_DIM, HALF)
        k_left, k_right = add(k_left, k_right, bias + (HEADS + kv_head) * HEAD_DIM, HALF)
        v_left, v_right = add(v_left, v_right, bias + (HEADS + KV_HEADS + kv_head) * HEAD_DIM, HALF)
    if query_gain is not None:
        q_left, q_right = norm(q_left, q_right, query_gain, eps, HALF)
        k_left, k_right = norm(k_left, k_right, key_gain, eps, HALF)
    if frequencies is not None:
        angle = tl.load(positions + row) * tl.load(frequencies + part)
        q_left, q_right = turn(q_left, q_right, tl.cos(angle), tl.sin(angle))
        k_left, k_right = turn(k_left, k_right, tl.cos(angle), tl.sin(angle))
    q_left, q_right = q_left * (LOG2E / HEAD_DIM**0.5), q_right * (LOG2E / HEAD_DIM**0.5)
    own = (split == 0) & (lane == 0)  # the new token is the first lane's first
    peak, total = tl.where(own, tl.sum(q_left * k_left + q_right * k_right), NEVER), tl.where(own, 1.0, 0.0)
    mixed_left, mixed_right = total[:, None] * v_left[None, :], total[:, None] * v_right[None, :]
    table = tables + row * table_stride
    if (split == 0) & (head % (HEADS // KV_HEADS) == 0):
        block = tl.load(table + length // BLOCK).to(tl.int64)
        place = ((block * BLOCK + length % BLOCK) * KV_HEADS + kv_head) * HEAD_DIM
        store_halves(keys + place, k_left, k_right, HALF)
        store_halves(values + place, v_left, v_right, HALF)

    end = tl.minimum(length, split * share + share)
    for start in tl.range(split * share, end, TILE, num_stages=STAGES):
        token, live = start + lane, start + lane < end
        blocks = tl.load(table + token // BLOCK, live, 0).to(tl.int64)
        places = (((blocks * BLOCK + token % BLOCK) * KV_HEADS + kv_head) * HEAD_DIM)[:, None] + part[None, :]
        old_k_left, old_k_right = tl.load(keys + places, live[:, None], 0), tl.load(keys + places + HALF, live[:, None], 0)
        old_v_left, old_v_right = tl.load(values + places, live[:, None], 0), tl.load(values + places + HALF, live[:, None], 0)
        scores = tl.sum(old_k_left.to(tl.float32) * q_left[None, :] + old_k_right.to(tl.float32) * q_right[None, :], axis=1)
        scores = tl.where(live, scores, -float("inf"))
        higher = tl.maximum(peak, scores)
        fade, weight = tl.exp2(peak - higher), tl.exp2(scores - higher)
        peak, total = higher, total * fade + weight
        mixed_left = mixed_left * fade[:, None] + weight[:, None] * old_v_left.to(tl.float32)
        mixed_right = mixed_right * fade[:, None] + weight[:, None] * old_v_right.to(tl.float32)

    summit = tl.max(peak, axis=0)
    fade = tl.exp2(peak - summit)
    whole = tl.sum(total * fade, axis=0)
    left, right = tl.sum(mixed_left * fade[:, None], axis=0), tl.sum(mixed_right * fade[:, None], axis=0)
    index = row * HEADS + head
    answer, partials_of_head = out + index * HEAD_DIM, partials + index * (SPLITS * (HEAD_DIM + 2))
    if programs == 1:
        store_halves(answer, left / whole, right / whole, HALF)
        return
    mine = partials_of_head + split * (HEAD_DIM + 2)
    store_halves(mine, left, right, HALF)
    tl.store(mine + HEAD_DIM, summit)
    tl.store(mine + HEAD_DIM + 1, whole)
    tl.debug_barrier()  # the whole program has stored
    if tl.atomic_add(finished + index, 1, sem="acq_rel") == programs - 1:
        tl.store(finished + index, 0)
        put_together(answer, partials_of_head, programs, HEAD_DIM, SPLITS)
