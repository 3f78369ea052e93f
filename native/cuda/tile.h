// A tile of 64 rows of 64 bytes in shared memory, for blocks of 128 threads: 32 columns of bf16 or 64 of int8.
//
// The four 16-byte chunks of a row are stored in an order that depends on the row, chunk ^ (row / 2 mod 4), so that eight
// rows of one chunk column fall on all 32 banks: neither cp.async nor ldmatrix conflicts.
#pragma once

#include "native/cuda/ptx.h"

namespace kvasir::cuda {

constexpr int kTileRows = 64, kTileBytes = 64;

__device__ __forceinline__ uint32_t chunk_at(uint32_t tile, int row, int chunk) {
  return tile + row * kTileBytes + (chunk ^ (row >> 1 & 3)) * 16;
}

// Begins the copy of rows first.. of `from` [rows, pitch bytes], from byte column `begin` on. Beyond the matrix: zeros.
__device__ __forceinline__ void load_tile(uint32_t tile, const void* from, int first, int rows, int begin, int pitch) {
  for (int i = threadIdx.x; i < kTileRows * 4; i += 128) {
    const int row = i >> 2, chunk = i & 3, column = begin + chunk * 16;
    const bool inside = first + row < rows && column < pitch;
    const auto* source = static_cast<const unsigned char*>(from);
    if (inside) source += static_cast<size_t>(first + row) * pitch + column;
    copy_async16(chunk_at(tile, row, chunk), source, inside ? 16 : 0);
  }
}

// Operand a of mma: 16 rows from `row` on, 32 bytes from chunk `chunk` on.
__device__ __forceinline__ void load_a(uint32_t* a, uint32_t tile, int row, int chunk) {
  const int lane = threadIdx.x & 31;
  ldmatrix_x4(a, chunk_at(tile, row + (lane & 15), chunk + (lane >> 4)));
}

// Operand b of two mma: 8 rows of the transposed matrix each, from `row` on. b[0..1] is the first.
__device__ __forceinline__ void load_b(uint32_t* b, uint32_t tile, int row, int chunk) {
  const int lane = threadIdx.x & 31;
  ldmatrix_x4(b, chunk_at(tile, row + (lane & 7) + (lane >> 4) * 8, chunk + (lane >> 3 & 1)));
}

}  // namespace kvasir::cuda
