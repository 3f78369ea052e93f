// One register of NEON as the kernels of `linear` see it, under the names that they have on x86: KV_SIMD(name) is
// neon_name. Bytes are 16 bytes, or numbers of 16 or 32 bits where the name says so.
#pragma once

#include <arm_neon.h>

#include <cstdint>

namespace kvasir::cpu::KVASIR_ISA {

#define KV_SIMD(name) neon_##name
#define KV_NEON static inline __attribute__((always_inline))

using Bytes = int8x16_t;
using Floats = float32x4_t;

KV_NEON int32x4_t words(Bytes v) { return vreinterpretq_s32_s8(v); }
KV_NEON Bytes bytes(int32x4_t v) { return vreinterpretq_s8_s32(v); }
KV_NEON Bytes load16(const void* p) { return vld1q_s8(static_cast<const int8_t*>(p)); }

KV_NEON Bytes neon_set1_epi8(char x) { return vdupq_n_s8(static_cast<int8_t>(x)); }
KV_NEON Bytes neon_set1_epi32(int32_t x) { return bytes(vdupq_n_s32(x)); }
KV_NEON Bytes neon_add_epi32(Bytes a, Bytes b) { return bytes(vaddq_s32(words(a), words(b))); }
KV_NEON Bytes neon_sub_epi32(Bytes a, Bytes b) { return bytes(vsubq_s32(words(a), words(b))); }

// Operators and not intrinsics, which want a literal.
KV_NEON Bytes neon_slli_epi16(Bytes v, int n) { return vreinterpretq_s8_u16(vreinterpretq_u16_s8(v) << n); }
KV_NEON Bytes neon_srli_epi16(Bytes v, int n) { return vreinterpretq_s8_u16(vreinterpretq_u16_s8(v) >> n); }
KV_NEON Bytes neon_slli_epi32(Bytes v, int n) { return vreinterpretq_s8_u32(vreinterpretq_u32_s8(v) << n); }
KV_NEON Bytes neon_srli_epi32(Bytes v, int n) { return vreinterpretq_s8_u32(vreinterpretq_u32_s8(v) >> n); }
KV_NEON Bytes neon_srai_epi32(Bytes v, int n) { return bytes(words(v) >> n); }

KV_NEON Bytes neon_unpacklo_epi32(Bytes a, Bytes b) { return bytes(vzip1q_s32(words(a), words(b))); }
KV_NEON Bytes neon_unpackhi_epi32(Bytes a, Bytes b) { return bytes(vzip2q_s32(words(a), words(b))); }
KV_NEON Bytes neon_unpacklo_epi64(Bytes a, Bytes b) {
  return vreinterpretq_s8_s64(vzip1q_s64(vreinterpretq_s64_s8(a), vreinterpretq_s64_s8(b)));
}
KV_NEON Bytes neon_unpackhi_epi64(Bytes a, Bytes b) {
  return vreinterpretq_s8_s64(vzip2q_s64(vreinterpretq_s64_s8(a), vreinterpretq_s64_s8(b)));
}

KV_NEON Floats neon_setzero_ps() { return vdupq_n_f32(0); }
KV_NEON Floats neon_set1_ps(float x) { return vdupq_n_f32(x); }
KV_NEON Floats neon_loadu_ps(const float* p) { return vld1q_f32(p); }
KV_NEON void neon_storeu_ps(float* p, Floats v) { vst1q_f32(p, v); }
KV_NEON Floats neon_add_ps(Floats a, Floats b) { return vaddq_f32(a, b); }
KV_NEON Floats neon_mul_ps(Floats a, Floats b) { return vmulq_f32(a, b); }
KV_NEON Floats neon_fmadd_ps(Floats a, Floats b, Floats c) { return vfmaq_f32(c, a, b); }
KV_NEON Floats neon_xor_ps(Floats a, Floats b) {
  return vreinterpretq_f32_u32(veorq_u32(vreinterpretq_u32_f32(a), vreinterpretq_u32_f32(b)));
}
KV_NEON Floats neon_cvtepi32_ps(Bytes v) { return vcvtq_f32_s32(words(v)); }

// Adds 16 products to four sums, four to each of them in no fixed order. Two products fit 16 bits: 2 · 128 · 127.
KV_NEON Bytes dot_bytes(Bytes acc, Bytes w, Bytes x) {
#if defined(__ARM_FEATURE_DOTPROD)
  return bytes(vdotq_s32(words(acc), w, x));
#else
  const int16x8_t pairs = vmlal_high_s8(vmull_s8(vget_low_s8(w), vget_low_s8(x)), w, x);
  return bytes(vpadalq_s16(words(acc), pairs));
#endif
}

#undef KV_NEON

}  // namespace kvasir::cpu::KVASIR_ISA
