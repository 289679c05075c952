// What the kernels here ask of a card, in few words of its assembly: no header of CUDA's is needed, so NVRTC alone compiles them.
// A host compiler takes the same kernels with other words for the same (tests/engine/kernels/gpu/host.hpp): that is how they are
// tested where there is no card. Half numbers travel in pairs, two in 32 bits.
#pragma once

typedef unsigned int u32;
typedef unsigned short u16;
typedef unsigned char u8;

#ifndef ON_HOST
#define DEVICE static __device__ __forceinline__
#define FULL 0xffffffffu
#define DYNAMIC(NAME) extern __shared__ uint4 NAME[]

DEVICE u32 add2(u32 a, u32 b) {
    u32 d;
    asm("add.rn.f16x2 %0, %1, %2;" : "=r"(d) : "r"(a), "r"(b));
    return d;
}

DEVICE u32 fma2(u32 a, u32 b, u32 c) {
    u32 d;
    asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(c));
    return d;
}

DEVICE float to_float(u16 half) {
    float f;
    asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(half));
    return f;
}

DEVICE u16 to_half(float f) {
    u16 half;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half) : "f"(f));
    return half;
}

DEVICE u32 bytes_of(u32 a, u32 b, u32 selector) { return __byte_perm(a, b, selector); }

// A matrix is read once a step: it passes the first-level cache by.
DEVICE uint4 stream16(const void* p) {
    uint4 v;
    asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(p));
    return v;
}

DEVICE u32 stream4(const void* p) {
    u32 v;
    asm volatile("ld.global.nc.L1::no_allocate.u32 %0, [%1];" : "=r"(v) : "l"(p));
    return v;
}

// Past the first-level cache, which does not see what other programs wrote.
DEVICE float load_shared_by_all(const float* p) { return __ldcg(p); }

DEVICE u32 from_lane(u32 v, int lane) { return __shfl_sync(FULL, v, lane); }
DEVICE float from_lane(float v, int lane) { return __shfl_sync(FULL, v, lane); }
DEVICE float from_other(float v, int distance) { return __shfl_xor_sync(FULL, v, distance); }

// Until the kernel in front has written; from then on the one behind may start and fetch what does not depend on this one.
DEVICE void follow() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}
#endif

DEVICE float low(u32 pair) { return to_float((u16)(pair & 0xffff)); }
DEVICE float high(u32 pair) { return to_float((u16)(pair >> 16)); }
DEVICE u32 pair_of(float low, float high) { return (u32)to_half(low) | (u32)to_half(high) << 16; }

// c[16, 8] += a[16, 16] · b[16, 8], spread over a warp as PTX's mma.m16n8k16 spreads it: with g = lane / 4 and t = lane % 4 a lane
// holds of a (row g: a0, a2; row g + 8: a1, a3) and of b (column g) the inner places 2t, 2t + 1 and 2t + 8, 2t + 9, and of c
// columns 2t and 2t + 1 of row g and of row g + 8.
DEVICE void multiply(float (&c)[4], u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 750
    asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a0), "r"(a1), "r"(b0));
    asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a2), "r"(a3), "r"(b1));
#else  // Volta and the host: what the lanes hold goes round
    int lane = threadIdx.x % 32, row = lane / 4 * 4, column = lane % 4 * 8;
    u32 a[4] = {a0, a1, a2, a3}, b[2] = {b0, b1};
    for (int t = 0; t < 4; t++)
        for (int half = 0; half < 2; half++) {
            u32 upper = from_lane(a[2 * half], row + t), lower = from_lane(a[2 * half + 1], row + t);
            u32 left = from_lane(b[half], column + t), right = from_lane(b[half], column + 4 + t);
            c[0] += low(upper) * low(left) + high(upper) * high(left);
            c[1] += low(upper) * low(right) + high(upper) * high(right);
            c[2] += low(lower) * low(left) + high(lower) * high(left);
            c[3] += low(lower) * low(right) + high(lower) * high(right);
        }
#endif
}
