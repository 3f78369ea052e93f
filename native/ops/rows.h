// Views of what a kernel reads and writes. Nothing here owns memory.
#pragma once

#include <cstdint>

#include "native/base/dtype.h"
#include "native/base/host_device.h"

namespace kvasir {

// A weight matrix as it lies in the mapped file: [rows, cols], each row contiguous.
struct Weight {
  const uint8_t* data = nullptr;
  Dtype dtype = Dtype::f32;
  int32_t rows = 0;
  int32_t cols = 0;
  int64_t row_bytes = 0;
};

// Activations [rows, dim], f32 or act8. `stride` is the bytes from one row to the next.
//
// An act8 row quantises 32 values at a time to s8, symmetric: scale = max|x| / 127, q = round(x · (127 / max|x|)):
//
//   s8  q[dim]   f32 scale[dim / 32]   i32 sum[dim / 32]      sum = Σ q of the group
//
// One row depends on nothing but its own values, so a row is the same in a batch of one and of a thousand.
struct Rows {
  uint8_t* data = nullptr;
  Dtype dtype = Dtype::f32;
  int32_t rows = 0;
  int32_t dim = 0;
  int64_t stride = 0;

  KV_HOST_DEVICE float* f32(int64_t row) const { return reinterpret_cast<float*>(data + row * stride); }
  KV_HOST_DEVICE int8_t* q(int64_t row) const { return reinterpret_cast<int8_t*>(data + row * stride); }
  KV_HOST_DEVICE float* scale(int64_t row) const { return reinterpret_cast<float*>(data + row * stride + dim); }
  KV_HOST_DEVICE int32_t* sum(int64_t row) const {
    return reinterpret_cast<int32_t*>(data + row * stride + dim + dim / 8);
  }
};

constexpr int32_t kGroup = 32;  // values that share one activation scale

// Stride of a row of activations: an odd number of cache lines, so that a column of many rows, which is what a tile
// reads and writes, spreads over all sets of a cache. dim is a multiple of 32 for act8.
constexpr int64_t activation_stride(Dtype dtype, int64_t dim) {
  const int64_t bytes = dtype == Dtype::act8 ? dim + dim / kGroup * 8 : dim * 4;
  return ((bytes + 63) / 64 | 1) * 64;
}

}  // namespace kvasir
