// Family A: kernels for every card from compute capability 8.0 on. Each takes one argument; contract.h says what it is and
// with which grid it runs, native/ops what it computes.
#pragma once

#include "native/cuda/contract.h"
#include "native/cuda/ptx.h"
#include "native/cuda/tiles.h"

// name, type of the argument
#define KVASIR_LINEAR_KERNELS(X, format)        \
  X(linear_##format##_narrow, ::kvasir::Linear) \
  X(linear_##format##_wide, ::kvasir::Linear)

#define KVASIR_CUDA_KERNELS(X)                             \
  X(copy_pages, ::kvasir::cuda::CopyPages)                 \
  X(embed, ::kvasir::Embed)                                \
  X(rms_norm, ::kvasir::RmsNorm)                           \
  X(quantize, ::kvasir::Quantize)                          \
  X(swiglu, ::kvasir::SwiGlu)                              \
  X(add, ::kvasir::Add)                                    \
  X(round_rows, ::kvasir::cuda::RoundRows)                 \
  X(linear_f32, ::kvasir::Linear)                          \
  X(linear_f16, ::kvasir::Linear)                          \
  X(linear_bf16, ::kvasir::Linear)                         \
  KVASIR_LINEAR_KERNELS(X, q8_0)                           \
  KVASIR_LINEAR_KERNELS(X, q4_0)                           \
  KVASIR_LINEAR_KERNELS(X, q4_1)                           \
  KVASIR_LINEAR_KERNELS(X, q5_0)                           \
  KVASIR_LINEAR_KERNELS(X, q5_1)                           \
  KVASIR_LINEAR_KERNELS(X, q4_k)                           \
  KVASIR_LINEAR_KERNELS(X, q5_k)                           \
  KVASIR_LINEAR_KERNELS(X, q6_k)                           \
  X(rope_table, ::kvasir::RopeTable)                       \
  X(rope_kv, ::kvasir::RopeKv)                             \
  X(attention_decode, ::kvasir::cuda::PagedAttention)      \
  X(attention_merge, ::kvasir::cuda::PagedAttention)       \
  X(attention_prefill_64, ::kvasir::cuda::PagedAttention)  \
  X(attention_prefill_128, ::kvasir::cuda::PagedAttention) \
  X(sample, ::kvasir::cuda::DeviceSample)                  \
  X(pool, ::kvasir::cuda::DevicePool)

namespace kvasir::cuda {

#define KVASIR_DECLARE(name, Op) extern "C" __global__ void name(const __grid_constant__ Op);
KVASIR_CUDA_KERNELS(KVASIR_DECLARE)
#undef KVASIR_DECLARE

}  // namespace kvasir::cuda
