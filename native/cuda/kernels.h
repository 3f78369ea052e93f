// Family A: kernels for every card from compute capability 8.0 on. Row-major arrays; bf16 as its bits.
#pragma once

#include "native/cuda/ptx.h"

// y[i] = x[i] / sqrt(mean(x[i]²) + eps) · w.  x [rows, dim] f32, w [dim] f32, dim a multiple of 4.
// A block of 128 threads for each row; 16 bytes of shared memory.
extern "C" __global__ void rms_norm_f32(const float* x, const float* w, float* y, int dim, float eps);
extern "C" __global__ void rms_norm_bf16(const float* x, const float* w, uint16_t* y, int dim, float eps);

// y = silu(x[:, :dim]) · x[:, dim:].  x [rows, 2·dim] f32, y [rows, dim] bf16, dim a multiple of 8.
// Grid (dim / 8 / 128 rounded up, rows), blocks of 128 threads.
extern "C" __global__ void swiglu_bf16(const float* x, uint16_t* y, int dim);

// y [M, N] f32 = a [M, K] · bᵀ, b [N, K].  Grid (N / 64, M / 64, rounded up), blocks of 128 threads, kGemmShared bytes.
// K is a multiple of 8 (gemm_s8: of 32), M and N are any.
constexpr int kGemmShared = 3 * 2 * 64 * 64;
extern "C" __global__ void gemm_bf16(const uint16_t* a, const uint16_t* b, float* y, int M, int N, int K);

// The same for 8-bit integers with a scale for each group of 32 columns: q8_0 weights and act8 activations. The sum of a
// group is exact; groups are added in ascending order, each by one fma of the sum and the product of its scales.
extern "C" __global__ void gemm_s8(const int8_t* a, const float* a_scale, const int8_t* b, const float* b_scale,
                                   float* y, int M, int N, int K);

// y [queries, heads, D] f32 = softmax(q · kᵀ · scale) · v, where query i sees keys 0 .. keys − queries + i.
// q [queries, heads, D], k and v [keys, kv_heads, D], bf16; keys ≥ queries, kv_heads divides heads.
// Grid (queries / 64 rounded up, heads), blocks of 128 threads, 3 · 64 · D · 2 bytes.
extern "C" __global__ void attention_prefill_64(const uint16_t* q, const uint16_t* k, const uint16_t* v, float* y,
                                                int queries, int keys, int heads, int kv_heads, float scale);
extern "C" __global__ void attention_prefill_128(const uint16_t* q, const uint16_t* k, const uint16_t* v, float* y,
                                                 int queries, int keys, int heads, int kv_heads, float scale);
