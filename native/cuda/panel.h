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

// Four levels below 2 · zero less zero, each in its byte: the topmost bit turned, and then every bit above it set where it is.
template <uint32_t zero>
__device__ __forceinline__ uint32_t less(uint32_t levels) {
  const uint32_t bits = levels ^ zero * 0x01010101u;
  return bits + (bits & zero * 0x01010101u) * (256 / zero - 2);
}

// The scales of rows g and g + 8 in one group; q6_k has two of each.
struct GroupScales {
  float d[2], second[2], m[2];
};

template <int words>
__device__ __forceinline__ void load_words(uint32_t* to, const uint32_t* from) {
  if constexpr (words == 1) *to = *from;
  if constexpr (words == 2) load8(to, from);
}

template <int words>
__device__ __forceinline__ void load_shared_words(uint32_t* to, uint32_t from) {
  if constexpr (words == 1) *to = load_shared(from);
  if constexpr (words == 2) load_shared8(to, from);
}

// What lane 4·g + t holds of a span: read in one go, a while before it is needed.
template <Dtype F>
struct Span {
  static constexpr int kWords = F == Dtype::q8_0 ? 8 : 4;
  static constexpr int kHigh = F == Dtype::q6_k ? 2 : F == Dtype::q5_0 || F == Dtype::q5_1 || F == Dtype::q5_k ? 1 : 0;
  static constexpr int kEach = F == Dtype::q4_1 || F == Dtype::q5_1 ? 2 : 1;  // words of scales of a group
  static constexpr int kSupers = F == Dtype::q6_k ? 1 : is_k_quant(F) ? 2 : 0;
  uint32_t word[kWords], high[kHigh + 1], scale[2 * kEach], super[kSupers + 1];

  __device__ __forceinline__ void load(const uint8_t* panel, const PanelShape& shape, int span) {
    const int lane = static_cast<int>(threadIdx.x % 32), g = lane / 4;
    const auto at = [panel](int64_t offset) { return reinterpret_cast<const uint32_t*>(panel + offset); };
    const uint32_t* quants = at(int64_t{span} * shape.quants);
    load16(word, quants + lane * 4);
    if constexpr (kWords == 8) load16(word + 4, quants + (32 + lane) * 4);
    load_words<kHigh>(high, at(shape.high_at + int64_t{span} * shape.high) + lane * kHigh);
    const uint32_t* scales = at(shape.scales_at + int64_t{span} * shape.scales);
#pragma unroll
    for (int half = 0; half < 2; ++half) load_words<kEach>(scale + half * kEach, scales + (half * 8 + g) * kEach);
    load_words<kSupers>(super, at(shape.supers_at + int64_t{span / 4} * shape.supers) + g * kSupers);
  }

  // The first operand of mma: signed levels, or levels for formats with a minimum.
  __device__ __forceinline__ void unpack(int half, uint32_t* a) const {
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      if constexpr (F == Dtype::q8_0) {
        a[r] = word[half * 4 + r];
      } else {
        a[r] = word[half * 2 + r / 2] >> (r & 1) * 4 & 0x0F0F0F0Fu;
        if constexpr (kHigh == 1) a[r] |= (high[0] >> (half * 4 + r) & 0x01010101u) << 4;
        if constexpr (kHigh == 2) a[r] |= (high[half] >> 2 * r & 0x03030303u) << 4;
        if constexpr (zero_of(F) != 0) a[r] = less<zero_of(F)>(a[r]);
      }
    }
  }

  __device__ __forceinline__ GroupScales scales(int half) const {
    GroupScales s;
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const auto f16 = [r](uint32_t pair) { return from_f16(static_cast<uint16_t>(pair >> 16 * r)); };
      const uint32_t bits = scale[half * kEach];
      if constexpr (F == Dtype::q6_k) {
        s.d[r] = f16(super[0]) * static_cast<float>(static_cast<int8_t>(bits >> 8 * r));
        s.second[r] = f16(super[0]) * static_cast<float>(static_cast<int8_t>(bits >> (16 + 8 * r)));
      } else if constexpr (is_k_quant(F)) {
        s.d[r] = f16(super[0]) * static_cast<float>(bits >> 8 * r & 255);
        s.m[r] = -f16(super[1]) * static_cast<float>(bits >> (16 + 8 * r) & 255);
      } else {
        s.d[r] = f16(bits);
        if constexpr (has_minimum(F)) s.m[r] = f16(scale[half * kEach + kEach - 1]);
      }
    }
    return s;
  }
};

}  // namespace kvasir::cuda
