// Attention of one new token a row over keys and values in blocks, rotation and keeping included (Dao et al. 2023, flash-decoding).
//
// A program has one head of one row, or a share of its past. HEAD_DIM / 8 lanes have a token, eight numbers each, and a softmax of
// their own (Milakov and Gimelshein 2018), so that a warp reads several tokens at a time; at the end softmaxes are put together,
// those of other programs by the last to finish.

#include "device.cuh"

#define BLOCK 16                   // tokens of a block
#define WARPS 4
#define LANES (HEAD_DIM / 8)       // of a token
#define TOKENS (32 / LANES)        // of a warp at a time
#define AHEAD 4                    // of a lane under way at a time
#define NEVER -1.0e30f             // a score that no token has; finite, so that differences of it are numbers
#define PARTIAL (HEAD_DIM + 2)       // what a program hands on: what it mixed, at which height, from how much

struct Call {
    const u16 *query, *key, *value;  // [rows, heads or kv_heads, HEAD_DIM], a stride of its own a row
    u16 *keys, *values;              // [blocks, BLOCK, kv_heads, HEAD_DIM]
    const int *tables, *lengths;     // [rows, …], [rows] tokens before the new one
    const int* positions;            // [rows], by which query and key are rotated
    const float* frequencies;        // [HEAD_DIM / 2], or null where they are rotated already
    const u16* bias;                 // [heads + 2 kv_heads, HEAD_DIM], added first, or null
    const u16 *query_gain, *key_gain;  // [HEAD_DIM] of RMSNorm before rotation, or null
    u16* out;                        // [rows, heads, HEAD_DIM]
    float* partials;                   // [rows, heads, splits, PARTIAL]
    int* finished;                   // [rows, heads], 0 before and after
    int query_stride, key_stride, value_stride, table_stride, heads, kv_heads, splits, least;
    float eps;
};

struct Softmax {
    float peak, total, mixed[8];
};

DEVICE void read8(const u16* from, float (&to)[8]) {
    uint4 v = *(const uint4*)from;
    u32 words[4] = {v.x, v.y, v.z, v.w};
    for (int i = 0; i < 4; i++) to[2 * i] = low(words[i]), to[2 * i + 1] = high(words[i]);
}

DEVICE void write8(u16* to, const float (&from)[8]) {
    uint4 v = {pair_of(from[0], from[1]), pair_of(from[2], from[3]), pair_of(from[4], from[5]), pair_of(from[6], from[7])};
    *(uint4*)to = v;
}

DEVICE void turn(float (&x)[8], const float (&cosine)[8], const float (&sine)[8], int part) {
    for (int i = 0; i < 8; i++) {
        float other = from_other(x[i], LANES / 2);
        x[i] = x[i] * cosine[i] + (part < LANES / 2 ? -other : other) * sine[i];
    }
}

DEVICE float dot(const float (&a)[8], const float (&b)[8]) {
    float sum = 0;
    for (int i = 0; i < 8; i++) sum += a[i] * b[i];
    for (int distance = LANES / 2; distance; distance /= 2) sum += from_other(sum, distance);
    return sum;
}

DEVICE void shift(float (&x)[8], const u16* bias) {
    float more[8];
    read8(bias, more);
    for (int i = 0; i < 8; i++) x[i] += more[i];
}

DEVICE void norm(float (&x)[8], const u16* gain, float eps) {
    float factor = rsqrtf(dot(x, x) / HEAD_DIM + eps), gains[8];
    read8(gain, gains);
    for (int i = 0; i < 8; i++) x[i] *= factor * gains[i];
}

DEVICE void add(Softmax& mine, float score, const float (&value)[8]) {
    float higher = fmaxf(mine.peak, score), fade = exp2f(mine.peak - higher), weight = exp2f(score - higher);
    mine.peak = higher, mine.total = mine.total * fade + weight;
    for (int i = 0; i < 8; i++) mine.mixed[i] = mine.mixed[i] * fade + weight * value[i];
}

extern "C" __global__ void __launch_bounds__(WARPS * 32) attend(const Call call) {
    const int split = blockIdx.x, head = blockIdx.y, row = blockIdx.z;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, part = lane % LANES, group = warp * TOKENS + lane / LANES;
    const int shared_by = call.heads / call.kv_heads, kv_head = head / shared_by;
    __shared__ float gathered[WARPS][PARTIAL];
    __shared__ int last;
    follow();
    const int length = call.lengths[row];
    const int even = (length + call.splits - 1) / call.splits, share = max((even + BLOCK - 1) / BLOCK * BLOCK, call.least);
    const int programs = max((length + share - 1) / share, 1);
    if (split >= programs) return;
    const int* table = call.tables + (long)row * call.table_stride;
    float query[8], key[8], value[8];
    read8(call.query + (long)row * call.query_stride + head * HEAD_DIM + part * 8, query);
    read8(call.key + (long)row * call.key_stride + kv_head * HEAD_DIM + part * 8, key);
    read8(call.value + (long)row * call.value_stride + kv_head * HEAD_DIM + part * 8, value);
    if (call.bias) {
        shift(query, call.bias + head * HEAD_DIM + part * 8);
        shift(key, call.bias + (call.heads + kv_head) * HEAD_DIM + part * 8);
        shift(value, call.bias + (call.heads + call.kv_heads + kv_head) * HEAD_DIM + part * 8);
    }
    if (call.query_gain) {
        norm(query, call.query_gain + part * 8, call.eps);
        norm(key, call.key_gain + part * 8, call.eps);
    }
    if (call.frequencies) {
        float cosine[8], sine[8];
        const int position = call.positions[row];
        for (int i = 0; i < 8; i++) sincosf(position * call.frequencies[part * 8 % (HEAD_DIM / 2) + i], sine + i, cosine + i);
        turn(query, cosine, sine, part);
        turn(key, cosine, sine, part);
    }
    for (int i = 0; i < 8; i++) query[i] *= 1.4426950408889634f / sqrtf((float)HEAD_DIM);

    Softmax mine = {NEVER, 0, {}};
    float own = dot(query, key);
    if (split == 0 && group == 0) add(mine, own, value);
    if (split == 0 && group == 0 && head % shared_by == 0) {
        long place = (((long)table[length / BLOCK] * BLOCK + length % BLOCK) * call.kv_heads + kv_head) * HEAD_DIM + part * 8;
        write8(call.keys + place, key);
        write8(call.values + place, value);
    }
    const int end = min(length, (split + 1) * share);
    for (int start = split * share; start < end; start += WARPS * TOKENS * AHEAD) {
        uint4 keys[AHEAD], values[AHEAD];
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
            int token = start + i * WARPS * TOKENS + group;
            if (token >= end) continue;
            long place = (((long)table[token / BLOCK] * BLOCK + token % BLOCK) * call.kv_heads + kv_head) * HEAD_DIM + part * 8;
            keys[i] = *(const uint4*)(call.keys + place), values[i] = *(const uint4*)(call.values + place);
        }
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
            bool there = start + i * WARPS * TOKENS + group < end;
            float old_key[8] = {}, old_value[8] = {};
            if (there) read8((const u16*)&keys[i], old_key), read8((const u16*)&values[i], old_value);
            float score = dot(query, old_key);  // every lane comes along
            if (there) add(mine, score, old_value);
        }
    }

    // one softmax a warp, then one a program
    for (int distance = LANES; distance < 32; distance *= 2) {
        float peak = from_other(mine.peak, distance), higher = fmaxf(mine.peak, peak);
        float fade = exp2f(mine.peak - higher), other = exp2f(peak - higher);
        mine.total = mine.total * fade + from_other(mine.total, distance) * other, mine.peak = higher;
        for (int i = 0; i < 8; i++) mine.mixed[i] = mine.mixed[i] * fade + from_other(mine.mixed[i], distance) * other;
    }
    if (lane < LANES) {
        for (int i = 0; i < 8; i++) gathered[warp][part * 8 + i] = mine.mixed[i];
        gathered[warp][HEAD_DIM] = mine.peak, gathered[warp][HEAD_DIM + 1] = mine.total;
    }
    __syncthreads();
    const int index = row * call.heads + head;
    float peak = NEVER;
    for (int other = 0; other < WARPS; other++) peak = fmaxf(peak, gathered[other][HEAD_DIM]);
    float* theirs = call.partials + (long)index * call.splits * PARTIAL;
    float total = 0;
    for (int other = 0; other < WARPS; other++) total += gathered[other][HEAD_DIM + 1] * exp2f(gathered[other][HEAD_DIM] - peak);
    for (int place = threadIdx.x; place < HEAD_DIM; place += WARPS * 32) {
        float sum = 0;
        for (int other = 0; other < WARPS; other++) sum += gathered[other][place] * exp2f(gathered[other][HEAD_DIM] - peak);
        if (programs == 1) call.out[(long)index * HEAD_DIM + place] = to_half(sum / total);
        else theirs[split * PARTIAL + place] = sum;
    }
    if (programs == 1) return;
    if (threadIdx.x == 0) theirs[split * PARTIAL + HEAD_DIM] = peak, theirs[split * PARTIAL + HEAD_DIM + 1] = total;
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) last = atomicAdd(call.finished + index, 1) == programs - 1;
    __syncthreads();
    if (!last) return;
    if (threadIdx.x == 0) call.finished[index] = 0;
    __threadfence();
    peak = NEVER, total = 0;
    for (int other = 0; other < programs; other++) peak = fmaxf(peak, load_shared_by_all(theirs + other * PARTIAL + HEAD_DIM));
    for (int other = 0; other < programs; other++)
        total += load_shared_by_all(theirs + other * PARTIAL + HEAD_DIM + 1) *
                 exp2f(load_shared_by_all(theirs + other * PARTIAL + HEAD_DIM) - peak);
    for (int place = threadIdx.x; place < HEAD_DIM; place += WARPS * 32) {
        float sum = 0;
        for (int other = 0; other < programs; other++)
            sum += load_shared_by_all(theirs + other * PARTIAL + place) *
                   exp2f(load_shared_by_all(theirs + other * PARTIAL + HEAD_DIM) - peak);
        call.out[(long)index * HEAD_DIM + place] = to_half(sum / total);
    }
}
