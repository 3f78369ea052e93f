// Sixteen lanes in four registers of NEON (ARMv8.0). See native/cpu/vec.h, which alone includes this.
#pragma once

#include <arm_neon.h>

namespace kvasir::cpu::KVASIR_ISA {

struct f32x16 {
  float32x4_t v[4];
};
struct i32x16 {
  int32x4_t v[4];
};
struct mask16 {
  uint32x4_t v[4];
};

#define KV_FOUR(type, expression)                                            \
  type r;                                                                    \
  _Pragma("GCC unroll 4") for (int i = 0; i < 4; ++i) r.v[i] = (expression); \
  return r

KV_INLINE f32x16 load(const float* p) { KV_FOUR(f32x16, vld1q_f32(p + 4 * i)); }
KV_INLINE void store(float* p, f32x16 v) {
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) vst1q_f32(p + 4 * i, v.v[i]);
}
KV_INLINE f32x16 set1(float x) { KV_FOUR(f32x16, vdupq_n_f32(x)); }
KV_INLINE f32x16 add(f32x16 a, f32x16 b) { KV_FOUR(f32x16, vaddq_f32(a.v[i], b.v[i])); }
KV_INLINE f32x16 sub(f32x16 a, f32x16 b) { KV_FOUR(f32x16, vsubq_f32(a.v[i], b.v[i])); }
KV_INLINE f32x16 mul(f32x16 a, f32x16 b) { KV_FOUR(f32x16, vmulq_f32(a.v[i], b.v[i])); }
KV_INLINE f32x16 div(f32x16 a, f32x16 b) { KV_FOUR(f32x16, vdivq_f32(a.v[i], b.v[i])); }
KV_INLINE f32x16 fma(f32x16 a, f32x16 b, f32x16 c) { KV_FOUR(f32x16, vfmaq_f32(c.v[i], a.v[i], b.v[i])); }
// Not vmaxq and vminq, which give NaN when either is.
KV_INLINE f32x16 max(f32x16 a, f32x16 b) { KV_FOUR(f32x16, vbslq_f32(vcgtq_f32(a.v[i], b.v[i]), a.v[i], b.v[i])); }
KV_INLINE f32x16 min(f32x16 a, f32x16 b) { KV_FOUR(f32x16, vbslq_f32(vcltq_f32(a.v[i], b.v[i]), a.v[i], b.v[i])); }
KV_INLINE f32x16 swap_pairs(f32x16 a) { KV_FOUR(f32x16, vrev64q_f32(a.v[i])); }

KV_INLINE i32x16 load_bytes(const uint8_t* p) { KV_FOUR(i32x16, vreinterpretq_s32_u8(vld1q_u8(p + 16 * i))); }
KV_INLINE i32x16 load(const int32_t* p) { return load_bytes(reinterpret_cast<const uint8_t*>(p)); }
KV_INLINE void store(int32_t* p, i32x16 v) {
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) vst1q_s32(p + 4 * i, v.v[i]);
}
KV_INLINE i32x16 set1(int32_t x) { KV_FOUR(i32x16, vdupq_n_s32(x)); }
KV_INLINE i32x16 add(i32x16 a, i32x16 b) { KV_FOUR(i32x16, vaddq_s32(a.v[i], b.v[i])); }
KV_INLINE i32x16 sub(i32x16 a, i32x16 b) { KV_FOUR(i32x16, vsubq_s32(a.v[i], b.v[i])); }
KV_INLINE i32x16 max(i32x16 a, i32x16 b) { KV_FOUR(i32x16, vmaxq_s32(a.v[i], b.v[i])); }
KV_INLINE i32x16 and_(i32x16 a, i32x16 b) { KV_FOUR(i32x16, vandq_s32(a.v[i], b.v[i])); }
template <int n>
KV_INLINE i32x16 shift_left(i32x16 a) {
  KV_FOUR(i32x16, vshlq_n_s32(a.v[i], n));
}

KV_INLINE i32x16 bits(f32x16 a) { KV_FOUR(i32x16, vreinterpretq_s32_f32(a.v[i])); }
KV_INLINE f32x16 from_bits(i32x16 a) { KV_FOUR(f32x16, vreinterpretq_f32_s32(a.v[i])); }
KV_INLINE f32x16 to_f32(i32x16 a) { KV_FOUR(f32x16, vcvtq_f32_s32(a.v[i])); }
// As cvtps2dq: what no int32 can hold becomes the smallest one.
KV_INLINE i32x16 round_i32(f32x16 a) {
  KV_FOUR(i32x16, vbslq_s32(vcaltq_f32(a.v[i], vdupq_n_f32(0x1p31f)), vcvtnq_s32_f32(a.v[i]), vdupq_n_s32(INT32_MIN)));
}

KV_INLINE mask16 less(f32x16 a, f32x16 b) { KV_FOUR(mask16, vcltq_f32(a.v[i], b.v[i])); }
KV_INLINE mask16 at_least(f32x16 a, f32x16 b) { KV_FOUR(mask16, vcgeq_f32(a.v[i], b.v[i])); }
KV_INLINE mask16 less(i32x16 a, i32x16 b) { KV_FOUR(mask16, vcltq_s32(a.v[i], b.v[i])); }
KV_INLINE mask16 and_(mask16 a, mask16 b) { KV_FOUR(mask16, vandq_u32(a.v[i], b.v[i])); }
KV_INLINE f32x16 select(mask16 m, f32x16 yes, f32x16 no) { KV_FOUR(f32x16, vbslq_f32(m.v[i], yes.v[i], no.v[i])); }
KV_INLINE uint32_t lanes(mask16 m) {
  const uint16x8_t low = vcombine_u16(vmovn_u32(m.v[0]), vmovn_u32(m.v[1]));
  const uint16x8_t high = vcombine_u16(vmovn_u32(m.v[2]), vmovn_u32(m.v[3]));
  const uint16x8_t bit = {1, 2, 4, 8, 16, 32, 64, 128};
  return vaddvq_u16(vandq_u16(low, bit)) | uint32_t{vaddvq_u16(vandq_u16(high, bit))} << 8;
}

KV_INLINE f32x16 load_f16(const uint16_t* p) {
  KV_FOUR(f32x16, vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4 * i))));
}
KV_INLINE void store_f16(uint16_t* p, f32x16 v) {
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) vst1_u16(p + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(v.v[i])));
}
KV_INLINE f32x16 load_s8(const int8_t* p) {
  const int8x16_t bytes = vld1q_s8(p);
  const int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_high_s8(bytes);
  return to_f32(
      i32x16{{vmovl_s16(vget_low_s16(low)), vmovl_high_s16(low), vmovl_s16(vget_low_s16(high)), vmovl_high_s16(high)}});
}
KV_INLINE int16x8_t narrow(int32x4_t low, int32x4_t high) { return vqmovn_high_s32(vqmovn_s32(low), high); }
KV_INLINE void store_s8(int8_t* p, i32x16 v) {
  vst1q_s8(p, vqmovn_high_s16(vqmovn_s16(narrow(v.v[0], v.v[1])), narrow(v.v[2], v.v[3])));
}

KV_INLINE f32x16 fold8(f32x16 a) { return {{a.v[2], a.v[3], a.v[0], a.v[1]}}; }
KV_INLINE f32x16 fold4(f32x16 a) { return {{a.v[1], a.v[0], a.v[3], a.v[2]}}; }
KV_INLINE f32x16 fold2(f32x16 a) { KV_FOUR(f32x16, vextq_f32(a.v[i], a.v[i], 2)); }
KV_INLINE float first(f32x16 v) { return vgetq_lane_f32(v.v[0], 0); }
KV_INLINE int32_t first(i32x16 v) { return vgetq_lane_s32(v.v[0], 0); }

// acc[i] += Σ k[4i + j]·q[j], j < 4, both s8 in ±127. Without dot products: products in 16 bits, added in pairs.
KV_INLINE int32x4_t dot4(int32x4_t acc, int8x16_t k, int8x16_t q) {
#if defined(__ARM_FEATURE_DOTPROD)
  return vdotq_s32(acc, k, q);
#else
  const int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(k), vget_low_s8(q)));
  return vaddq_s32(acc, vpaddq_s32(low, vpaddlq_s16(vmull_high_s8(k, q))));
#endif
}
KV_INLINE i32x16 dot4(i32x16 acc, i32x16 k, int32_t q) {
  const int8x16_t query = vreinterpretq_s8_s32(vdupq_n_s32(q));
  KV_FOUR(i32x16, dot4(acc.v[i], vreinterpretq_s8_s32(k.v[i]), query));
}
constexpr bool kDotBiased = false;
KV_INLINE i32x16 load_keys(const uint8_t* p) { return load_bytes(p); }

// acc[i] += v[2i]·w[0] + v[2i + 1]·w[1], where v is 32 s8 widened to s16 and w is two s16.
KV_INLINE i32x16 load_pairs(const int8_t* p) { KV_FOUR(i32x16, vreinterpretq_s32_s16(vmovl_s8(vld1_s8(p + 8 * i)))); }
KV_INLINE int32x4_t dot2(int32x4_t acc, int16x8_t v, int16x8_t w) {
  const int32x4_t low = vmull_s16(vget_low_s16(v), vget_low_s16(w));
  return vaddq_s32(acc, vpaddq_s32(low, vmull_high_s16(v, w)));
}
KV_INLINE i32x16 dot2(i32x16 acc, i32x16 v, int32_t w) {
  const int16x8_t pair = vreinterpretq_s16_s32(vdupq_n_s32(w));
  KV_FOUR(i32x16, dot2(acc.v[i], vreinterpretq_s16_s32(v.v[i]), pair));
}
KV_INLINE void store_s16(int16_t* p, i32x16 v) {
  vst1q_s16(p, narrow(v.v[0], v.v[1]));
  vst1q_s16(p + 8, narrow(v.v[2], v.v[3]));
}

constexpr int kScoreRows = 2;
constexpr int kTileRows = 2;
constexpr int kTileVectors = 2;

#undef KV_FOUR

}  // namespace kvasir::cpu::KVASIR_ISA
