// Reads packed matrices (pack.h) in a kernel.
#pragma once

#include "native/cuda/pack.h"
#include "native/cuda/ptx.h"

namespace kvasir::cuda {

constexpr bool has_minimum(Dtype f) {
  return f == Dtype::q4_1 || f == Dtype::q5_1 || f == Dtype::q4_k || f == Dtype::q5_k;
}
constexpr bool is_k_quant(Dtype f) { return f == Dtype::q4_k || f == Dtype::q5_k || f == Dtype::q6_k; }
constexpr int zero_of(Dtype f) { return f == Dtype::q4_0 ? 8 : f == Dtype::q5_0 ? 16 : f == Dtype::q6_k ? 32 : 0; }

// Four 6-bit levels less 32, each in its byte.
__device__ __forceinline__ uint32_t less_32(uint32_t levels) {
  const uint32_t bits = levels ^ 0x20202020u, sign = bits & 0x20202020u;
  return bits | sign << 1 | sign << 2;
}

// The quants of a span, of one lane: what is read in one go, and the first operand of mma made of it.
template <Dtype F>
struct SpanQuants {
  static constexpr int kWords = F == Dtype::q8_0 ? 8 : 4;
  static constexpr int kHigh = F == Dtype::q6_k ? 2 : F == Dtype::q5_0 || F == Dtype::q5_1 || F == Dtype::q5_k ? 1 : 0;
  uint32_t word[kWords];
  uint32_t high[kHigh ? kHigh : 1];

  __device__ __forceinline__ void load(const uint8_t* panel, const PanelShape& shape, int span, int lane) {
    const auto* quants = reinterpret_cast<const uint32_t*>(panel + int64_t{span} * shape.quants);
    load16(word, quants + lane * 4);
    if constexpr (kWords == 8) load16(word + 4, quants + (32 + lane) * 4);
    const auto* bits = reinterpret_cast<const uint32_t*>(panel + shape.high_at + int64_t{span} * shape.high);
#pragma unroll
    for (int i = 0; i < kHigh; ++i) high[i] = bits[lane * kHigh + i];
  }

  // Levels, less 32 for q6_k; the zero of other formats is taken off the sums.
  __device__ __forceinline__ void unpack(int half, uint32_t* a) const {
    if constexpr (F == Dtype::q8_0) {
#pragma unroll
      for (int r = 0; r < 4; ++r) a[r] = word[half * 4 + r];
      return;
    }
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      a[r] = word[half * 2 + r / 2] >> (r & 1) * 4 & 0x0F0F0F0Fu;
      if constexpr (kHigh == 1) a[r] |= (high[0] >> (half * 4 + r) & 0x01010101u) << 4;
      if constexpr (kHigh == 2) a[r] = less_32(a[r] | (high[half] >> 2 * r & 0x03030303u) << 4);
    }
  }
};

// The scales of rows g and g + 8 in one group; q6_k has two of each.
struct GroupScales {
  float d[2], second[2], m[2];
};

template <Dtype F>
__device__ __forceinline__ GroupScales load_scales(const uint8_t* panel, const PanelShape& shape, int group, int g) {
  GroupScales s;
  const auto* scales = reinterpret_cast<const uint32_t*>(panel + shape.scales_at + int64_t{group / 2} * shape.scales);
  const auto* supers = reinterpret_cast<const uint32_t*>(panel + shape.supers_at + int64_t{group / 8} * shape.supers);
  const int at = group % 2 * 8 + g;
  const auto low = [](uint32_t word) { return from_f16(static_cast<uint16_t>(word)); };
  const auto high = [](uint32_t word) { return from_f16(static_cast<uint16_t>(word >> 16)); };
  if constexpr (F == Dtype::q6_k) {
    const uint32_t word = scales[at], d = supers[g];
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const float super = r == 0 ? low(d) : high(d);
      s.d[r] = super * static_cast<float>(static_cast<int8_t>(word >> 8 * r));
      s.second[r] = super * static_cast<float>(static_cast<int8_t>(word >> (16 + 8 * r)));
    }
  } else if constexpr (is_k_quant(F)) {
    const uint32_t word = scales[at], d = supers[2 * g], m = supers[2 * g + 1];
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      s.d[r] = (r == 0 ? low(d) : high(d)) * static_cast<float>(word >> 8 * r & 255);
      s.m[r] = -(r == 0 ? low(m) : high(m)) * static_cast<float>(word >> (16 + 8 * r) & 255);
    }
  } else {
    constexpr int kEach = has_minimum(F) ? 2 : 1;
    const uint32_t d = scales[at * kEach], m = scales[at * kEach + kEach - 1];
    s.d[0] = low(d), s.d[1] = high(d);
    s.m[0] = low(m), s.m[1] = high(m);
  }
  return s;
}

}  // namespace kvasir::cuda
