// A card for those who have none: the kernels of engine/kernels/gpu/cuda as a host compiler takes them. A program's threads are
// fibres of one thread of the host's, which take turns wherever they wait for each other.
#pragma once
#define ON_HOST
#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstring>
#include <memory>
#include <ucontext.h>
#include <vector>

#define DEVICE static inline
#define __global__
#define __shared__ static
#define __launch_bounds__(...)
#define DYNAMIC(NAME) uint4* NAME = dynamic.data()
using std::min;
using std::max;

struct uint4 { unsigned x, y, z, w; };
struct Place { int x, y, z; };
typedef unsigned int u32;
typedef unsigned short u16;
typedef unsigned char u8;

static const int STACK = 64 << 10;  // bytes
static Place threadIdx, blockIdx, gridDim;
static std::vector<uint4> dynamic;

// Threads that wait for each other: all of a program, or a warp.
struct Meeting { int size = 0, there = 0; unsigned long round = 0; };
struct Fibre { std::unique_ptr<char[]> stack; ucontext_t start; jmp_buf place; bool begun, done; };
static std::vector<Fibre> fibres;  // those of the last program are there for the next
static jmp_buf scheduler;
static Meeting everybody, warps[64];
static int running;
static u32 board[64][32];

// A fibre begins as a context and then jumps, which takes no system call, as swapcontext does.
static void pause() { if (!_setjmp(fibres[running].place)) _longjmp(scheduler, 1); }
static void resume(Fibre& fibre) {
    if (_setjmp(scheduler)) return;
    if (fibre.begun) _longjmp(fibre.place, 1);
    fibre.begun = true;
    setcontext(&fibre.start);
}
static void meet(Meeting& meeting) {
    unsigned long round = meeting.round;
    if (++meeting.there == meeting.size) { meeting.there = 0, meeting.round++; return; }
    while (meeting.round == round) pause();
}
DEVICE void __syncthreads() { meet(everybody); }
DEVICE void __syncwarp() { meet(warps[threadIdx.x / 32]); }
DEVICE void __threadfence() {}
DEVICE void follow() {}
DEVICE int atomicAdd(int* p, int by) { int before = *p; *p += by; return before; }
DEVICE float rsqrtf(float x) { return 1 / std::sqrt(x); }

DEVICE float to_float(u16 half) { _Float16 h; memcpy(&h, &half, 2); return (float)h; }
DEVICE u16 to_half(double f) { _Float16 h = (_Float16)f; u16 half; memcpy(&half, &h, 2); return half; }
DEVICE u32 two(u16 low, u16 high) { return low | (u32)high << 16; }
DEVICE u32 fma2(u32 a, u32 b, u32 c) {
    auto one = [](u16 a, u16 b, u16 c) { return to_half((double)to_float(a) * to_float(b) + to_float(c)); };
    return two(one(a, b, c), one(a >> 16, b >> 16, c >> 16));
}
DEVICE u32 add2(u32 a, u32 b) { return fma2(a, 0x3c003c00, b); }
DEVICE u32 bytes_of(u32 a, u32 b, u32 selector) {
    unsigned long all = a | (unsigned long)b << 32;
    u32 d = 0;
    for (int i = 0; i < 4; i++) d |= (u32)(all >> 8 * (selector >> 4 * i & 7) & 0xff) << 8 * i;
    return d;
}
DEVICE uint4 stream16(const void* p) { uint4 v; memcpy(&v, p, 16); return v; }
DEVICE u32 stream4(const void* p) { u32 v; memcpy(&v, p, 4); return v; }
DEVICE float load_shared_by_all(const float* p) { return *p; }
DEVICE u32 from_lane(u32 v, int lane) {
    int warp = threadIdx.x / 32;
    board[warp][threadIdx.x % 32] = v;
    __syncwarp();
    u32 theirs = board[warp][lane];
    __syncwarp();
    return theirs;
}
DEVICE float from_lane(float v, int lane) { u32 bits; memcpy(&bits, &v, 4); bits = from_lane(bits, lane); memcpy(&v, &bits, 4); return v; }
DEVICE float from_other(float v, int distance) { return from_lane(v, (threadIdx.x % 32) ^ distance); }

static void (*body)();
static void begin() { body(); fibres[running].done = true; pause(); }

// Runs `work` as every thread of every program of a grid, one program after another.
static void launch(void (*work)(), Place grid, int threads, long bytes) {
    body = work, gridDim = grid;
    dynamic.assign(bytes / 16 + 1, uint4{});
    for (int z = 0; z < grid.z; z++) for (int y = 0; y < grid.y; y++) for (int x = 0; x < grid.x; x++) {
        blockIdx = {x, y, z};
        if ((int)fibres.size() < threads) fibres.resize(threads);
        everybody = {threads}, std::fill(warps, warps + 64, Meeting{32});
        for (int i = 0; i < threads; i++) {
            Fibre& fibre = fibres[i];
            if (!fibre.stack) fibre.stack.reset(new char[STACK]);
            fibre.begun = fibre.done = false;
            getcontext(&fibre.start);
            fibre.start.uc_stack.ss_sp = fibre.stack.get(), fibre.start.uc_stack.ss_size = STACK;
            makecontext(&fibre.start, begin, 0);
        }
        for (bool more = true; more;) {
            more = false;
            for (int i = 0; i < threads; i++) if (!fibres[i].done) {
                running = i, threadIdx.x = i, more = true;
                resume(fibres[i]);
            }
        }
    }
}

template <class Parameters>
static void run(void (*kernel)(Parameters), const void* parameters, int x, int y, int z, int threads, long bytes) {
    static void (*chosen)(Parameters);
    static Parameters call;
    chosen = kernel, call = *(const Parameters*)parameters;
    launch([] { chosen(call); }, {x, y, z}, threads, bytes);
}
#define RUN(NAME) \
    extern "C" void run_##NAME(const void* call, int x, int y, int z, int threads, long bytes) { run(NAME, call, x, y, z, threads, bytes); }
