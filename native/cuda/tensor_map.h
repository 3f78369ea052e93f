// A matrix of which kernels fetch boxes into shared memory with one instruction (TMA), and how shared memory is read by
// wgmma. Cards of compute capability 9.0.
#pragma once

#include <cstdint>

#include "native/base/host_device.h"

namespace kvasir::cuda {

// CUtensorMap: 128 bytes that the driver writes and only the card understands. Part of a kernel's argument.
struct alignas(64) TensorMap {
  uint64_t opaque[16];
};

// In shared memory rows of so many bytes, whose 16-byte chunks are exchanged so that eight rows fall on all banks: bits 4 … of
// an address are xored with bits 7 …. The values are those of CUtensorMapSwizzle.
enum class Swizzle : uint32_t { none = 0, bytes32 = 1, bytes64 = 2, bytes128 = 3 };
KV_HOST_DEVICE constexpr uint32_t swizzled(uint32_t address, Swizzle swizzle) {
  const uint32_t chunks = (1u << static_cast<uint32_t>(swizzle)) - 1;
  return address ^ (address >> 7 & chunks) << 4;
}

// Boxes [box_rows, box_columns] of a matrix [rows, columns] of u8 or i32; what lies outside it is zero.
struct Boxes {
  const void* data = nullptr;
  int32_t element_bytes = 1;
  int64_t columns = 0, rows = 0, stride = 0;  // stride: bytes, a multiple of 16
  int32_t box_columns = 0, box_rows = 0;
  Swizzle swizzle = Swizzle::none;
};

// A matrix in shared memory for wgmma, K along the row ("matrix descriptor" of the PTX ISA). Swizzled: rows of the swizzle's
// width, `stride` bytes from eight of them to the next eight. Else: blocks of 8 rows × 16 bytes, `leading` bytes from one to
// the next along K, `stride` along the rows.
KV_HOST_DEVICE constexpr uint64_t matrix_at(uint32_t address, Swizzle swizzle, uint32_t leading, uint32_t stride) {
  constexpr uint64_t kModes[] = {0, 3, 2, 1};
  return (address & 0x3FFFF) >> 4 | uint64_t{leading >> 4} << 16 | uint64_t{stride >> 4} << 32 |
         kModes[static_cast<uint32_t>(swizzle)] << 62;
}

// The same for a second operand of 16 bits with N along the row: rows of the swizzle's width, `block` bytes from one width of
// N to the next, `stride` from eight rows of K to the next eight. Not swizzled: blocks of 8 rows × 16 bytes, `block` bytes from
// one to the next along K, `stride` along N.
KV_HOST_DEVICE constexpr uint64_t matrix_across(uint32_t address, Swizzle swizzle, uint32_t block, uint32_t stride) {
  return matrix_at(address, swizzle, block, stride);
}

}  // namespace kvasir::cuda
