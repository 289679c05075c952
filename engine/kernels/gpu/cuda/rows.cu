// Two helpers of engine/kernels/gpu/cuda/project.cu: RMSNorm of several rows, and codes back to halves for prompts, which have so many
// rows that cuBLAS multiplies them faster.

#include "device.cuh"

struct Norm {
    const u16 *x, *gain;  // [rows, width], [width]
    u16* out;
    int width;
    float eps;
};

#define THREADS 256

extern "C" __global__ void __launch_bounds__(THREADS) normalise(const Norm call) {
    __shared__ float sums[THREADS / 32];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const u16* x = call.x + (long)blockIdx.x * call.width;
    u16* out = call.out + (long)blockIdx.x * call.width;
    follow();
    float squares = 0;
    for (int place = threadIdx.x * 2; place < call.width; place += THREADS * 2) {
        u32 pair = *(const u32*)(x + place);
        squares += low(pair) * low(pair) + high(pair) * high(pair);
    }
    for (int distance = 16; distance; distance /= 2) squares += from_other(squares, distance);
    if (lane == 0) sums[warp] = squares;
    __syncthreads();
    float all = 0;
    for (int other = 0; other < THREADS / 32; other++) all += sums[other];
    const float norm = rsqrtf(all / call.width + call.eps);
    for (int place = threadIdx.x * 2; place < call.width; place += THREADS * 2) {
        u32 pair = *(const u32*)(x + place), gain = *(const u32*)(call.gain + place);
        *(u32*)(out + place) = pair_of(low(pair) * norm * low(gain), high(pair) * norm * high(gain));
    }
}

struct Restore {
    const u8* weight;   // tiles, see engine/kernels/gpu/layout.py
    const u16* scale;   // of int8, [features in the tiles' order]
    u16* out;           // [features, width], in the tiles' order
    int width, packed;  // `packed`: 4 bits a code
};

// A program has a tile of features and some of its groups of inputs; a warp one of them at a time, a lane what it has in products.
extern "C" __global__ void __launch_bounds__(THREADS) restore(const Restore call) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4, t = lane % 4, tile = blockIdx.x;
    const int steps = call.width / 64, bytes = call.packed ? 544 : 1024;
    follow();
    for (int step = blockIdx.y * (THREADS / 32) + warp; step < steps; step += gridDim.y * (THREADS / 32)) {
        const u8* start = call.weight + ((long)tile * steps + step) * bytes;
        u16* out = call.out + ((long)tile * 16 + g) * call.width + step * 64 + t * 8;
        float upper, lower;
        uint4 kept;  // of 4 bits: both halves lie in 16 bytes
        if (call.packed) {
            u32 scales = stream4(start + 512 + g * 4);
            upper = low(scales), lower = high(scales);
        } else {
            upper = to_float(call.scale[tile * 16 + g]), lower = to_float(call.scale[tile * 16 + g + 8]);
        }
        for (int half = 0; half < 2; half++) {
            u32 first[4], second[4];  // of the upper feature and the lower one, eight inputs each
            if (call.packed) {
                uint4 codes = half ? uint4{kept.z, kept.w, 0, 0} : kept = stream16(start + lane * 16);
                for (int pair = 0; pair < 4; pair++) {
                    u32 word = (pair / 2 ? codes.y : codes.x) >> pair % 2 * 8;
                    first[pair] = pair_of(((int)(word & 15) - 8) * upper, ((int)(word >> 16 & 15) - 8) * upper);
                    second[pair] = pair_of(((int)(word >> 4 & 15) - 8) * lower, ((int)(word >> 20 & 15) - 8) * lower);
                }
            } else {
                uint4 codes = stream16(start + half * 512 + lane * 16);
                u32 words[4] = {codes.x, codes.y, codes.z, codes.w};
                for (int pair = 0; pair < 4; pair++) {
                    u32 word = words[pair];
                    first[pair] = pair_of(((int)(word & 255) - 128) * upper, ((int)(word >> 8 & 255) - 128) * upper);
                    second[pair] = pair_of(((int)(word >> 16 & 255) - 128) * lower, ((int)(word >> 24) - 128) * lower);
                }
            }
            *(uint4*)(out + half * 32) = uint4{first[0], first[1], first[2], first[3]};
            *(uint4*)(out + 8l * call.width + half * 32) = uint4{second[0], second[1], second[2], second[3]};
        }
    }
}
