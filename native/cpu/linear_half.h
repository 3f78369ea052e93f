// Reading 16-bit floats one at a time, and the fixed tree that ends a dot product of floats.
#pragma once

#include <cstdint>
#include <cstring>

#include "native/base/dtype.h"

#define KVASIR_INLINE static inline __attribute__((always_inline))

// Before a loop whose arrays are to live in registers; at -O2 the compiler does not unroll such loops by itself.
#define KVASIR_UNROLL _Pragma("GCC unroll 16")

namespace kvasir::cpu::KVASIR_ISA {

KVASIR_INLINE float bits_to_float(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

// IEEE half precision, subnormals, infinities and NaN included.
KVASIR_INLINE float half_to_float(const uint8_t* p) {
  uint16_t h;
  memcpy(&h, p, sizeof h);
  const uint32_t sign = uint32_t(h & 0x8000) << 16;
  const uint32_t magnitude = h & 0x7fff;
  if (magnitude >= 0x7c00) return bits_to_float(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
  // Shifting puts the exponent 112 too low; the multiplication mends it and normalises subnormals exactly.
  return bits_to_float(sign | magnitude << 13) * bits_to_float((112 + 127) << 23);
}

// Value k of a row of f32, f16 or bf16.
KVASIR_INLINE float load_float(Dtype dtype, const uint8_t* row, int64_t k) {
  if (dtype == Dtype::f16) return half_to_float(row + k * 2);
  if (dtype == Dtype::bf16) return bits_to_float(uint32_t(row[k * 2]) << 16 | uint32_t(row[k * 2 + 1]) << 24);
  float value;
  memcpy(&value, row + k * 4, sizeof value);
  return value;
}

KVASIR_INLINE float sum_partials(const float* partial) {
  float sum[8];
  KVASIR_UNROLL
  for (int j = 0; j < 8; ++j) sum[j] = partial[j] + partial[j + 8];
  KVASIR_UNROLL
  for (int j = 0; j < 4; ++j) sum[j] += sum[j + 4];
  KVASIR_UNROLL
  for (int j = 0; j < 2; ++j) sum[j] += sum[j + 2];
  return sum[0] + sum[1];
}

}  // namespace kvasir::cpu::KVASIR_ISA
