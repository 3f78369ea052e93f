// Number formats of weights, activations and KV. The values are part of the tape (lib/graph/dtype.ts mirrors them).
#pragma once

#include <cstddef>
#include <cstdint>

namespace kvasir {

enum class Dtype : int32_t {
  f32 = 0,
  f16 = 1,
  bf16 = 2,
  q8_0 = 3,   // 32 values: f16 d, 32 s8                                     value = d·q
  q4_0 = 4,   // 32 values: f16 d, 16 bytes (low nibbles first)              value = d·(q − 8)
  q4_1 = 5,   // 32 values: f16 d, f16 m, 16 bytes                           value = d·q + m
  q5_0 = 6,   // 32 values: f16 d, u32 high bits, 16 bytes                   value = d·(q − 16)
  q5_1 = 7,   // 32 values: f16 d, f16 m, u32 high bits, 16 bytes            value = d·q + m
  q4_k = 8,   // 256 values: f16 d, f16 dmin, 12 bytes of 6-bit scales and mins, 128 bytes
  q5_k = 9,   // as q4_k with 32 bytes of high bits before the low nibbles
  q6_k = 10,  // 256 values: 128 bytes low, 64 bytes high, 16 s8 scales, f16 d
  act8 = 16,  // activations, see native/ops/rows.h
  i32 = 17,
  kv8 = 18,  // keys and values in 8 bits with one scale per token and head, see native/ops/kv_cache.h
};

struct Block {
  int32_t values;
  int32_t bytes;
};

// Values and bytes of one storage block; {0, 0} for a format that has none of its own.
constexpr Block block_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::f32:
      return {1, 4};
    case Dtype::f16:
      return {1, 2};
    case Dtype::bf16:
      return {1, 2};
    case Dtype::q8_0:
      return {32, 34};
    case Dtype::q4_0:
      return {32, 18};
    case Dtype::q4_1:
      return {32, 20};
    case Dtype::q5_0:
      return {32, 22};
    case Dtype::q5_1:
      return {32, 24};
    case Dtype::q4_k:
      return {256, 144};
    case Dtype::q5_k:
      return {256, 176};
    case Dtype::q6_k:
      return {256, 210};
    case Dtype::i32:
      return {1, 4};
    default:
      return {0, 0};
  }
}

constexpr bool is_quantised(Dtype dtype) { return dtype >= Dtype::q8_0 && dtype <= Dtype::q6_k; }

// Bytes of one row of `cols` values; cols is a multiple of the block.
constexpr int64_t row_bytes(Dtype dtype, int64_t cols) { return cols / block_of(dtype).values * block_of(dtype).bytes; }

}  // namespace kvasir
