// Sixteen lanes in four vectors of the compiler's own, for processors without AVX2 and for other architectures: right
// everywhere, fast nowhere. fma is a product and a sum, so results may differ from the other sets in the last bit.
// See native/cpu/vec.h, which alone includes this.
#pragma once

#include <cmath>

namespace kvasir::cpu::KVASIR_ISA {

typedef float f32x4 __attribute__((vector_size(16)));
typedef int32_t i32x4 __attribute__((vector_size(16)));
typedef uint32_t u32x4 __attribute__((vector_size(16)));

struct f32x16 {
  f32x4 v[4];
};
struct i32x16 {
  i32x4 v[4];
};
using mask16 = i32x16;

#define KV_FOUR(type, expression)                                            \
  type r;                                                                    \
  _Pragma("GCC unroll 4") for (int i = 0; i < 4; ++i) r.v[i] = (expression); \
  return r

KV_INLINE f32x16 load(const float* p) {
  f32x16 r;
  __builtin_memcpy(&r, p, sizeof(r));
  return r;
}
KV_INLINE void store(float* p, f32x16 v) { __builtin_memcpy(p, &v, sizeof(v)); }
KV_INLINE f32x16 set1(float x) { KV_FOUR(f32x16, (f32x4{x, x, x, x})); }
KV_INLINE f32x16 add(f32x16 a, f32x16 b) { KV_FOUR(f32x16, a.v[i] + b.v[i]); }
KV_INLINE f32x16 sub(f32x16 a, f32x16 b) { KV_FOUR(f32x16, a.v[i] - b.v[i]); }
KV_INLINE f32x16 mul(f32x16 a, f32x16 b) { KV_FOUR(f32x16, a.v[i] * b.v[i]); }
KV_INLINE f32x16 div(f32x16 a, f32x16 b) { KV_FOUR(f32x16, a.v[i] / b.v[i]); }
KV_INLINE f32x16 fma(f32x16 a, f32x16 b, f32x16 c) { KV_FOUR(f32x16, a.v[i] * b.v[i] + c.v[i]); }
KV_INLINE f32x16 max(f32x16 a, f32x16 b) { KV_FOUR(f32x16, a.v[i] > b.v[i] ? a.v[i] : b.v[i]); }
KV_INLINE f32x16 min(f32x16 a, f32x16 b) { KV_FOUR(f32x16, a.v[i] < b.v[i] ? a.v[i] : b.v[i]); }
KV_INLINE f32x16 swap_pairs(f32x16 a) { KV_FOUR(f32x16, (f32x4{a.v[i][1], a.v[i][0], a.v[i][3], a.v[i][2]})); }

KV_INLINE i32x16 load_bytes(const uint8_t* p) {
  i32x16 r;
  __builtin_memcpy(&r, p, sizeof(r));
  return r;
}
KV_INLINE i32x16 load(const int32_t* p) { return load_bytes(reinterpret_cast<const uint8_t*>(p)); }
KV_INLINE void store(int32_t* p, i32x16 v) { __builtin_memcpy(p, &v, sizeof(v)); }
KV_INLINE i32x16 set1(int32_t x) { KV_FOUR(i32x16, (i32x4{x, x, x, x})); }
KV_INLINE i32x16 add(i32x16 a, i32x16 b) { KV_FOUR(i32x16, (i32x4)((u32x4)a.v[i] + (u32x4)b.v[i])); }  // wraps
KV_INLINE i32x16 sub(i32x16 a, i32x16 b) { KV_FOUR(i32x16, (i32x4)((u32x4)a.v[i] - (u32x4)b.v[i])); }
KV_INLINE i32x16 max(i32x16 a, i32x16 b) { KV_FOUR(i32x16, a.v[i] > b.v[i] ? a.v[i] : b.v[i]); }
KV_INLINE i32x16 and_(i32x16 a, i32x16 b) { KV_FOUR(i32x16, a.v[i] & b.v[i]); }
template <int n>
KV_INLINE i32x16 shift_left(i32x16 a) {
  KV_FOUR(i32x16, a.v[i] << n);
}

KV_INLINE i32x16 bits(f32x16 a) { KV_FOUR(i32x16, (i32x4)a.v[i]); }
KV_INLINE f32x16 from_bits(i32x16 a) { KV_FOUR(f32x16, (f32x4)a.v[i]); }
KV_INLINE f32x16 to_f32(i32x16 a) { KV_FOUR(f32x16, __builtin_convertvector(a.v[i], f32x4)); }
KV_INLINE int32_t round_lane(float x) {
  // As cvtps2dq: what no int32 can hold becomes the smallest one.
  return x >= -2147483648.0f && x < 2147483648.0f ? static_cast<int32_t>(__builtin_lrintf(x)) : INT32_MIN;
}
KV_INLINE i32x16 round_i32(f32x16 a) {
  KV_FOUR(i32x16, (i32x4{round_lane(a.v[i][0]), round_lane(a.v[i][1]), round_lane(a.v[i][2]), round_lane(a.v[i][3])}));
}

KV_INLINE mask16 less(f32x16 a, f32x16 b) { KV_FOUR(i32x16, a.v[i] < b.v[i]); }
KV_INLINE mask16 at_least(f32x16 a, f32x16 b) { KV_FOUR(i32x16, a.v[i] >= b.v[i]); }
KV_INLINE mask16 less(i32x16 a, i32x16 b) { KV_FOUR(i32x16, a.v[i] < b.v[i]); }
KV_INLINE f32x16 select(mask16 m, f32x16 yes, f32x16 no) { KV_FOUR(f32x16, m.v[i] ? yes.v[i] : no.v[i]); }
KV_INLINE uint32_t lanes(mask16 m) {
  uint32_t set = 0;
  for (int i = 0; i < 16; ++i) set |= (m.v[i / 4][i % 4] & 1u) << i;
  return set;
}

KV_INLINE float f16_to_f32(uint16_t h) {
  // The exponent is rebased by a product, which also makes subnormals right.
  const uint32_t sign = (h & 0x8000u) << 16, rest = (h & 0x7FFFu) << 13;
  float value = __builtin_bit_cast(float, rest) * 0x1p112f;
  uint32_t word = __builtin_bit_cast(uint32_t, value);
  if ((h & 0x7C00u) == 0x7C00u) word = rest | 0x7F800000u;
  return __builtin_bit_cast(float, word | sign);
}
KV_INLINE uint16_t f32_to_f16(float x) {
  const uint32_t word = __builtin_bit_cast(uint32_t, x), sign = word >> 16 & 0x8000u, size = word & 0x7FFFFFFFu;
  if (size > 0x7F800000u) return static_cast<uint16_t>(sign | 0x7E00u | (size >> 13 & 0x3FFu));  // NaN
  if (size >= 0x477FF000u) return static_cast<uint16_t>(sign | 0x7C00u);                         // rounds to infinity
  if (size < 0x38800000u) {
    // Subnormal: adding 0.5 lets the float adder round at the right bit.
    const float shifted = __builtin_bit_cast(float, size) + 0.5f;
    return static_cast<uint16_t>(sign | (__builtin_bit_cast(uint32_t, shifted) - 0x3F000000u));
  }
  return static_cast<uint16_t>(sign | ((size - 0x38000000u + 0xFFFu + (size >> 13 & 1u)) >> 13));
}
KV_INLINE f32x16 load_f16(const uint16_t* p) {
  f32x16 r;
  for (int i = 0; i < 16; ++i) r.v[i / 4][i % 4] = f16_to_f32(p[i]);
  return r;
}
KV_INLINE void store_f16(uint16_t* p, f32x16 v) {
  for (int i = 0; i < 16; ++i) p[i] = f32_to_f16(v.v[i / 4][i % 4]);
}
KV_INLINE f32x16 load_s8(const int8_t* p) {
  f32x16 r;
  for (int i = 0; i < 16; ++i) r.v[i / 4][i % 4] = p[i];
  return r;
}
KV_INLINE void store_s8(int8_t* p, i32x16 v) {
  for (int i = 0; i < 16; ++i) {
    const int32_t x = v.v[i / 4][i % 4];
    p[i] = static_cast<int8_t>(x < -128 ? -128 : x > 127 ? 127 : x);
  }
}

KV_INLINE f32x16 fold8(f32x16 a) { return {{a.v[2], a.v[3], a.v[0], a.v[1]}}; }
KV_INLINE f32x16 fold4(f32x16 a) { return {{a.v[1], a.v[0], a.v[3], a.v[2]}}; }
KV_INLINE f32x16 fold2(f32x16 a) { KV_FOUR(f32x16, (f32x4{a.v[i][2], a.v[i][3], a.v[i][0], a.v[i][1]})); }
KV_INLINE float first(f32x16 v) { return v.v[0][0]; }
KV_INLINE int32_t first(i32x16 v) { return v.v[0][0]; }

// acc[i] += Σ k[4i + j]·q[j], j < 4, both s8.
KV_INLINE i32x16 dot4(i32x16 acc, i32x16 k, int32_t q) {
  int8_t key[64], query[4];
  __builtin_memcpy(key, &k, sizeof(key));
  __builtin_memcpy(query, &q, sizeof(query));
  for (int i = 0; i < 16; ++i) {
    const int8_t* at = key + 4 * i;
    acc.v[i / 4][i % 4] += at[0] * query[0] + at[1] * query[1] + at[2] * query[2] + at[3] * query[3];
  }
  return acc;
}
constexpr bool kDotBiased = false;
KV_INLINE i32x16 load_keys(const uint8_t* p) { return load_bytes(p); }

// acc[i] += v[2i]·w[0] + v[2i + 1]·w[1], where v is 32 s8 widened to s16 and w is two s16.
KV_INLINE i32x16 load_pairs(const int8_t* p) {
  int16_t wide[32];
  for (int i = 0; i < 32; ++i) wide[i] = p[i];
  return load_bytes(reinterpret_cast<const uint8_t*>(wide));
}
KV_INLINE i32x16 dot2(i32x16 acc, i32x16 v, int32_t w) {
  int16_t value[32], weight[2];
  __builtin_memcpy(value, &v, sizeof(value));
  __builtin_memcpy(weight, &w, sizeof(weight));
  for (int i = 0; i < 16; ++i) acc.v[i / 4][i % 4] += value[2 * i] * weight[0] + value[2 * i + 1] * weight[1];
  return acc;
}
KV_INLINE void store_s16(int16_t* p, i32x16 v) {
  for (int i = 0; i < 16; ++i) {
    const int32_t x = v.v[i / 4][i % 4];
    p[i] = static_cast<int16_t>(x < -32768 ? -32768 : x > 32767 ? 32767 : x);
  }
}

constexpr int kScoreRows = 2;
constexpr int kTileRows = 2;
constexpr int kTileVectors = 1;

#undef KV_FOUR

}  // namespace kvasir::cpu::KVASIR_ISA
