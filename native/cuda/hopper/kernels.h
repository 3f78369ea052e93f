// Family B: kernels for compute capability 9.0 alone, compiled for sm_90a. As native/cuda/kernels.h.
#pragma once

#include "native/cuda/contract.h"
#include "native/cuda/ptx_hopper.h"
#include "native/cuda/tiles.h"

// name, type of the argument
#define KVASIR_LINEAR_WGMMA_KERNELS(X, format)                 \
  X(linear_##format##_wgmma_128, ::kvasir::cuda::TensorLinear) \
  X(linear_##format##_wgmma_256, ::kvasir::cuda::TensorLinear)

#define KVASIR_ATTENTION_WGMMA_KERNELS(X, dim)              \
  X(attention_wgmma_##dim, ::kvasir::cuda::TensorAttention) \
  X(attention_few_wgmma_##dim, ::kvasir::cuda::TensorAttention)

#define KVASIR_HALF_WGMMA_KERNELS(X, format)                      \
  X(linear_##format##_wgmma_64, ::kvasir::cuda::TensorHalfLinear) \
  X(linear_##format##_wgmma_256, ::kvasir::cuda::TensorHalfLinear)

#define KVASIR_HOPPER_KERNELS(X)        \
  KVASIR_LINEAR_WGMMA_KERNELS(X, q8_0)  \
  KVASIR_LINEAR_WGMMA_KERNELS(X, q4_0)  \
  KVASIR_LINEAR_WGMMA_KERNELS(X, q4_1)  \
  KVASIR_LINEAR_WGMMA_KERNELS(X, q5_0)  \
  KVASIR_LINEAR_WGMMA_KERNELS(X, q5_1)  \
  KVASIR_LINEAR_WGMMA_KERNELS(X, q4_k)  \
  KVASIR_LINEAR_WGMMA_KERNELS(X, q5_k)  \
  KVASIR_LINEAR_WGMMA_KERNELS(X, q6_k)  \
  KVASIR_HALF_WGMMA_KERNELS(X, f16)     \
  KVASIR_HALF_WGMMA_KERNELS(X, bf16)    \
  KVASIR_ATTENTION_WGMMA_KERNELS(X, 64) \
  KVASIR_ATTENTION_WGMMA_KERNELS(X, 128)

namespace kvasir::cuda {

#define KVASIR_DECLARE(name, Op) extern "C" __global__ void name(const __grid_constant__ Op);
KVASIR_HOPPER_KERNELS(KVASIR_DECLARE)
#undef KVASIR_DECLARE

}  // namespace kvasir::cuda
