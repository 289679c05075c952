// A projection of few rows, as fast as its weights can be read: product, gate and shortcut in one kernel.
//
// The matrix goes to the tensor cores as the left factor, 16 output features by 64 inputs a tile, the rows of activations as the right
// one, eight at a time. Codes lie in memory as the lanes of a warp want them (engine/kernels/gpu/layout.py): a lane reads 16 bytes
// that are its own, restores them in registers, and no number moves between lanes. The warps of a program share the inputs of a tile of
// features and add up at the end; where that makes too few programs, several share a tile, and the last to finish adds.
//
// BITS 4: codes n with the value (n - 8) · scale, a scale for 16 features beside each tile's codes. BITS 8: codes n with the value
// (n - 128) · scale, a scale a feature. BITS 16: halves, row after row, as torch keeps them.

#include "device.cuh"

#define INPUTS 64    // of a tile
#define FEATURES 16  // of a tile
#define GATED 1      // Call.flags: SwiGLU of the tile's first eight features (gates) and last eight (values)
#define WIDE 2       // the result is fp32
#define SCALED_FROM 4  // eights of rows

struct Call {
    const u16* x;         // [rows, width_in]
    const u8* weight;
    const u16* scale;     // of BITS 8 [padded features]
    const u16* gain;      // RMSNorm's, where x is one row and is to be normed first; else null
    const u16* shortcut;  // [rows, width_out] that is added, or null
    void* out;            // [rows, width_out]
    float* partials;        // of programs that share a tile
    int* finished;        // of each tile, how many of them are done; 0 before and after
    int rows, width_in, width_out, features;  // `features` of the matrix, twice width_out where it is gated
    int splits, flags;
    float eps;
};

template <int BITS>
struct Tile;  // what a lane holds of a tile

template <>
struct Tile<4> {
    static const int BYTES = 544;
    uint4 codes;
    u32 scales;
    DEVICE void fetch(Tile& tile, const u8* start, int, int lane) {
        tile.codes = stream16(start + lane * 16);
        tile.scales = stream4(start + 512 + lane / 4 * 4);
    }
    // 1024 + n is the half with n in its last bits, 1024 + 16 n the one with n four bits further up.
    DEVICE void restore(const Tile& tile, int m, u32 (&a)[4]) {
        u32 word = m == 0 ? tile.codes.x : m == 1 ? tile.codes.y : m == 2 ? tile.codes.z : tile.codes.w, next = word >> 8;
        a[0] = add2((word & 0x000f000f) | 0x64006400, 0xe408e408);                    // - 1032
        a[1] = fma2((word & 0x00f000f0) | 0x64006400, 0x2c002c00, 0xd480d480);        // / 16 - 72
        a[2] = add2((next & 0x000f000f) | 0x64006400, 0xe408e408);
        a[3] = fma2((next & 0x00f000f0) | 0x64006400, 0x2c002c00, 0xd480d480);
    }
    DEVICE void scale(const Tile& tile, u32 (&a)[4]) {
        u32 upper = bytes_of(tile.scales, 0, 0x1010), lower = bytes_of(tile.scales, 0, 0x3232);
        a[0] = fma2(a[0], upper, 0x80008000), a[2] = fma2(a[2], upper, 0x80008000);
        a[1] = fma2(a[1], lower, 0x80008000), a[3] = fma2(a[3], lower, 0x80008000);
    }
};

template <>
struct Tile<8> {
    static const int BYTES = 1024;
    uint4 codes[2];
    DEVICE void fetch(Tile& tile, const u8* start, int, int lane) {
        tile.codes[0] = stream16(start + lane * 16);
        tile.codes[1] = stream16(start + 512 + lane * 16);
    }
    DEVICE void restore(const Tile& tile, int m, u32 (&a)[4]) {
        const uint4& codes = tile.codes[m / 2];
        u32 first = m % 2 ? codes.z : codes.x, second = m % 2 ? codes.w : codes.y;
        a[0] = add2(bytes_of(first, 0x64646464, 0x4140), 0xe480e480);  // - 1152
        a[1] = add2(bytes_of(first, 0x64646464, 0x4342), 0xe480e480);
        a[2] = add2(bytes_of(second, 0x64646464, 0x4140), 0xe480e480);
        a[3] = add2(bytes_of(second, 0x64646464, 0x4342), 0xe480e480);
    }
    DEVICE void scale(const Tile&, u32 (&)[4]) {}
};

template <>
struct Tile<16> {
    static const int BYTES = 128;  // of a feature; its neighbour lies a row further on
    uint4 upper[2], lower[2];
    DEVICE void fetch(Tile& tile, const u8* start, int below, int) {
        tile.upper[0] = stream16(start), tile.upper[1] = stream16(start + 64);
        tile.lower[0] = stream16(start + below), tile.lower[1] = stream16(start + below + 64);
    }
    DEVICE void restore(const Tile& tile, int m, u32 (&a)[4]) {
        const uint4 &upper = tile.upper[m / 2], &lower = tile.lower[m / 2];
        a[0] = m % 2 ? upper.z : upper.x, a[2] = m % 2 ? upper.w : upper.y;
        a[1] = m % 2 ? lower.z : lower.x, a[3] = m % 2 ? lower.w : lower.y;
    }
    DEVICE void scale(const Tile&, u32 (&)[4]) {}
};

// The one row, times its norm's gain, in the program's own memory; returns this thread's share of its squares. The norm's factor is one
// number, which commutes with the product: it is known, and applied, at the end.
DEVICE float stage(const Call& call, u16* staged, int threads) {
    float squares = 0;
    for (int place = threadIdx.x * 8; place < call.width_in; place += threads * 8) {
        uint4 x = *(const uint4*)(call.x + place);
        if (call.gain) {
            uint4 gain = *(const uint4*)(call.gain + place);
            u32 *from = (u32*)&x, *by = (u32*)&gain;
            for (int i = 0; i < 4; i++) {
                float left = low(from[i]), right = high(from[i]);
                squares += left * left + right * right;
                from[i] = pair_of(left * low(by[i]), right * high(by[i]));
            }
        }
        *(uint4*)(staged + place) = x;
    }
    return squares;
}

// Two features of one row: a gate and its value, or two results.
DEVICE void finish(const Call& call, int tile, int lane, int row, float first, float second, float norm) {
    int g = lane / 4;
    if (row >= call.rows) return;
    first *= norm, second *= norm;
    if (call.scale) {
        const u16* scale = call.scale + tile * FEATURES + g;
        first *= to_float(scale[0]), second *= to_float(scale[8]);
    }
    int place = tile * FEATURES + g, count = 2;
    if (call.flags & GATED) first = first / (1 + expf(-first)) * second, place = tile * (FEATURES / 2) + g, count = 1;
    for (int i = 0; i < count; i++, place += 8) {
        if (place >= call.width_out) return;
        float y = i ? second : first;
        long at = (long)row * call.width_out + place;
        if (call.shortcut) y += to_float(call.shortcut[at]);
        if (call.flags & WIDE) ((float*)call.out)[at] = y;
        else ((u16*)call.out)[at] = to_half(y);
    }
}

template <int BITS, int ROWS8, int TILES, int WARPS, int AHEAD, bool ALONE>
DEVICE void project(const Call& call, u16* staged, float* sums, float* squared, int& last) {
    constexpr bool SCALED = BITS == 4 && ROWS8 >= SCALED_FROM;  // many rows have no room for sums of their own before the scales
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    const int steps = call.width_in / INPUTS, share = (steps + call.splits - 1) / call.splits;
    const int begin = blockIdx.y * share, end = min(begin + share, steps);
    const int tiles = (call.features + FEATURES - 1) / FEATURES, tile = blockIdx.x * TILES;
    const u8* matrix[TILES];
    int below[TILES] = {};  // from a feature to the one that stands eight further down in the tile, in bytes
    for (int i = 0; i < TILES; i++) {
        int mine = min(tile + i, tiles - 1);
        if (BITS == 16) {
            bool gated = call.flags & GATED;
            int feature = gated ? min(mine * 8 + g, call.width_out - 1) : min(mine * FEATURES + g, call.features - 1);
            int second = gated ? feature + call.width_out : min(feature + 8, call.features - 1);
            matrix[i] = call.weight + (long)feature * call.width_in * 2 + t * 16;
            below[i] = (second - feature) * call.width_in * 2;
        } else {
            matrix[i] = call.weight + (long)mine * steps * Tile<BITS>::BYTES;
        }
    }
    Tile<BITS> ahead[AHEAD][TILES];
#pragma unroll
    for (int d = 0; d < AHEAD; d++) {
        int step = begin + warp + d * WARPS;
        if (step < end)
#pragma unroll
            for (int i = 0; i < TILES; i++) Tile<BITS>::fetch(ahead[d][i], matrix[i] + (long)step * Tile<BITS>::BYTES, below[i], lane);
    }
    follow();
    float squares = 0;
    if (ALONE) {
        squares = stage(call, staged, WARPS * 32);
        __syncthreads();
    }
    float total[ROWS8][TILES][4] = {};
    for (int first = begin + warp; first < end; first += AHEAD * WARPS) {
#pragma unroll
        for (int d = 0; d < AHEAD; d++) {
            int step = first + d * WARPS;
            if (step >= end) break;
            Tile<BITS> now[TILES];
            int next = step + AHEAD * WARPS;
#pragma unroll
            for (int i = 0; i < TILES; i++) {
                now[i] = ahead[d][i];
                if (next < end) Tile<BITS>::fetch(ahead[d][i], matrix[i] + (long)next * Tile<BITS>::BYTES, below[i], lane);
            }
            float part[ROWS8][TILES][4] = {};  // of a group of 4-bit codes, before its scales
#pragma unroll
            for (int half = 0; half < 2; half++) {
                u32 a[TILES][2][4];
#pragma unroll
                for (int i = 0; i < TILES; i++)
#pragma unroll
                    for (int m = 0; m < 2; m++) {
                        Tile<BITS>::restore(now[i], 2 * half + m, a[i][m]);
                        if (SCALED) Tile<BITS>::scale(now[i], a[i][m]);
                    }
#pragma unroll
                for (int r = 0; r < ROWS8; r++) {
                    const u16* x = ALONE ? staged : call.x + (long)min(r * 8 + g, call.rows - 1) * call.width_in;
                    const uint4 b = *(const uint4*)(x + step * INPUTS + half * 32 + t * 8);
#pragma unroll
                    for (int i = 0; i < TILES; i++) {
                        float(&sum)[4] = SCALED || BITS != 4 ? total[r][i] : part[r][i];
                        multiply(sum, a[i][0][0], a[i][0][1], a[i][0][2], a[i][0][3], b.x, b.y);
                        multiply(sum, a[i][1][0], a[i][1][1], a[i][1][2], a[i][1][3], b.z, b.w);
                    }
                }
            }
            if constexpr (BITS == 4 && !SCALED) {
#pragma unroll
                for (int r = 0; r < ROWS8; r++)
#pragma unroll
                    for (int i = 0; i < TILES; i++) {
                        float upper = low(now[i].scales), lower = high(now[i].scales);
                        total[r][i][0] += part[r][i][0] * upper, total[r][i][1] += part[r][i][1] * upper;
                        total[r][i][2] += part[r][i][2] * lower, total[r][i][3] += part[r][i][3] * lower;
                    }
            }
        }
    }

    if (ALONE) {
        for (int distance = 16; distance; distance /= 2) squares += from_other(squares, distance);
        if (lane == 0) squared[warp] = squares;
    }
#pragma unroll
    for (int r = 0; r < ROWS8; r++)
#pragma unroll
        for (int i = 0; i < TILES; i++)
#pragma unroll
            for (int j = 0; j < 4; j++) sums[((warp * ROWS8 + r) * TILES + i) * 128 + j * 32 + lane] = total[r][i][j];
    __syncthreads();
    float norm = 1;
    if (ALONE && call.gain) {
        float all = 0;
        for (int other = 0; other < WARPS; other++) all += squared[other];
        norm = rsqrtf(all / call.width_in + call.eps);
    }
    const int size = ROWS8 * TILES * 128;
    float* theirs = call.partials + (long)blockIdx.x * call.splits * size;
    for (int place = threadIdx.x; place < size / 2; place += WARPS * 32) {
        int at = place / 64 * 128 + place % 64;
        float first = 0, second = 0;
        for (int other = 0; other < WARPS; other++) first += sums[other * size + at], second += sums[other * size + at + 64];
        if (call.splits == 1) {
            int row = place / 64 / TILES * 8 + place % 32 % 4 * 2 + place % 64 / 32;
            finish(call, tile + place / 64 % TILES, place % 32, row, first, second, norm);
        } else {
            theirs[blockIdx.y * size + at] = first, theirs[blockIdx.y * size + at + 64] = second;
        }
    }
    if (call.splits == 1) return;
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) last = atomicAdd(call.finished + blockIdx.x, 1) == call.splits - 1;
    __syncthreads();
    if (!last) return;
    if (threadIdx.x == 0) call.finished[blockIdx.x] = 0;
    __threadfence();
    for (int place = threadIdx.x; place < size / 2; place += WARPS * 32) {
        int at = place / 64 * 128 + place % 64;
        float first = 0, second = 0;
        for (int other = 0; other < call.splits; other++) {
            first += load_shared_by_all(theirs + other * size + at);
            second += load_shared_by_all(theirs + other * size + at + 64);
        }
        int row = place / 64 / TILES * 8 + place % 32 % 4 * 2 + place % 64 / 32;
        finish(call, tile + place / 64 % TILES, place % 32, row, first, second, norm);
    }
}

#define KERNEL(NAME, ROWS8, TILES, WARPS, AHEAD, PROGRAMS, ALONE)                                \
    extern "C" __global__ void __launch_bounds__(WARPS * 32, PROGRAMS) NAME(const Call call) {   \
        __shared__ float sums[WARPS * ROWS8 * TILES * 128], squared[WARPS];                      \
        DYNAMIC(staged);                                                                         \
        __shared__ int last;                                                                     \
        project<FORM, ROWS8, TILES, WARPS, AHEAD, ALONE>(call, (u16*)staged, sums, squared, last); \
    }

KERNELS  // those that engine/kernels/gpu/cuda_tile_sizes.py asks for
