// Sixteen lanes in two registers of AVX2, with or without AVX-VNNI. See native/cpu/vec.h, which alone includes this.
#pragma once

#include <immintrin.h>

namespace kvasir::cpu::KVASIR_ISA {

struct f32x16 {
  __m256 lo, hi;
};
struct i32x16 {
  __m256i lo, hi;
};
struct mask16 {
  __m256 lo, hi;
};

#define KV_BOTH(type, op) (type{op(a.lo, b.lo), op(a.hi, b.hi)})

KV_INLINE f32x16 load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
KV_INLINE void store(float* p, f32x16 v) {
  _mm256_storeu_ps(p, v.lo);
  _mm256_storeu_ps(p + 8, v.hi);
}
KV_INLINE f32x16 set1(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
KV_INLINE f32x16 add(f32x16 a, f32x16 b) { return KV_BOTH(f32x16, _mm256_add_ps); }
KV_INLINE f32x16 sub(f32x16 a, f32x16 b) { return KV_BOTH(f32x16, _mm256_sub_ps); }
KV_INLINE f32x16 mul(f32x16 a, f32x16 b) { return KV_BOTH(f32x16, _mm256_mul_ps); }
KV_INLINE f32x16 div(f32x16 a, f32x16 b) { return KV_BOTH(f32x16, _mm256_div_ps); }
KV_INLINE f32x16 fma(f32x16 a, f32x16 b, f32x16 c) {
  return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
KV_INLINE f32x16 max(f32x16 a, f32x16 b) { return KV_BOTH(f32x16, _mm256_max_ps); }
KV_INLINE f32x16 min(f32x16 a, f32x16 b) { return KV_BOTH(f32x16, _mm256_min_ps); }
KV_INLINE f32x16 swap_pairs(f32x16 v) { return {_mm256_permute_ps(v.lo, 0xB1), _mm256_permute_ps(v.hi, 0xB1)}; }

KV_INLINE i32x16 load_bytes(const uint8_t* p) {
  const __m256i* at = reinterpret_cast<const __m256i*>(p);
  return {_mm256_loadu_si256(at), _mm256_loadu_si256(at + 1)};
}
KV_INLINE i32x16 load(const int32_t* p) { return load_bytes(reinterpret_cast<const uint8_t*>(p)); }
KV_INLINE void store(int32_t* p, i32x16 v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v.lo);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p) + 1, v.hi);
}
KV_INLINE i32x16 set1(int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
KV_INLINE i32x16 add(i32x16 a, i32x16 b) { return KV_BOTH(i32x16, _mm256_add_epi32); }
KV_INLINE i32x16 sub(i32x16 a, i32x16 b) { return KV_BOTH(i32x16, _mm256_sub_epi32); }
KV_INLINE i32x16 max(i32x16 a, i32x16 b) { return KV_BOTH(i32x16, _mm256_max_epi32); }
KV_INLINE i32x16 and_(i32x16 a, i32x16 b) { return KV_BOTH(i32x16, _mm256_and_si256); }
template <int n>
KV_INLINE i32x16 shift_left(i32x16 a) {
  return {_mm256_slli_epi32(a.lo, n), _mm256_slli_epi32(a.hi, n)};
}

KV_INLINE i32x16 bits(f32x16 v) { return {_mm256_castps_si256(v.lo), _mm256_castps_si256(v.hi)}; }
KV_INLINE f32x16 from_bits(i32x16 v) { return {_mm256_castsi256_ps(v.lo), _mm256_castsi256_ps(v.hi)}; }
KV_INLINE f32x16 to_f32(i32x16 v) { return {_mm256_cvtepi32_ps(v.lo), _mm256_cvtepi32_ps(v.hi)}; }
KV_INLINE i32x16 round_i32(f32x16 v) { return {_mm256_cvtps_epi32(v.lo), _mm256_cvtps_epi32(v.hi)}; }

KV_INLINE mask16 less(f32x16 a, f32x16 b) {
  return {_mm256_cmp_ps(a.lo, b.lo, _CMP_LT_OQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_LT_OQ)};
}
KV_INLINE mask16 at_least(f32x16 a, f32x16 b) {
  return {_mm256_cmp_ps(a.lo, b.lo, _CMP_GE_OQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_GE_OQ)};
}
KV_INLINE mask16 less(i32x16 a, i32x16 b) {
  return {_mm256_castsi256_ps(_mm256_cmpgt_epi32(b.lo, a.lo)), _mm256_castsi256_ps(_mm256_cmpgt_epi32(b.hi, a.hi))};
}
KV_INLINE mask16 and_(mask16 a, mask16 b) { return KV_BOTH(mask16, _mm256_and_ps); }
KV_INLINE f32x16 select(mask16 m, f32x16 yes, f32x16 no) {
  return {_mm256_blendv_ps(no.lo, yes.lo, m.lo), _mm256_blendv_ps(no.hi, yes.hi, m.hi)};
}
KV_INLINE uint32_t lanes(mask16 m) { return _mm256_movemask_ps(m.lo) | _mm256_movemask_ps(m.hi) << 8; }

KV_INLINE f32x16 load_f16(const uint16_t* p) {
  const __m128i* at = reinterpret_cast<const __m128i*>(p);
  return {_mm256_cvtph_ps(_mm_loadu_si128(at)), _mm256_cvtph_ps(_mm_loadu_si128(at + 1))};
}
KV_INLINE void store_f16(uint16_t* p, f32x16 v) {
  __m128i* at = reinterpret_cast<__m128i*>(p);
  _mm_storeu_si128(at, _mm256_cvtps_ph(v.lo, _MM_FROUND_TO_NEAREST_INT));
  _mm_storeu_si128(at + 1, _mm256_cvtps_ph(v.hi, _MM_FROUND_TO_NEAREST_INT));
}
KV_INLINE f32x16 load_s8(const int8_t* p) {
  const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return to_f32(i32x16{_mm256_cvtepi8_epi32(v), _mm256_cvtepi8_epi32(_mm_srli_si128(v, 8))});
}
KV_INLINE void store_s8(int8_t* p, i32x16 v) {
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(v.lo, v.hi), 0xD8);
  const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
}

KV_INLINE f32x16 fold8(f32x16 v) { return {v.hi, v.lo}; }
KV_INLINE f32x16 fold4(f32x16 v) {
  return {_mm256_permute2f128_ps(v.lo, v.lo, 1), _mm256_permute2f128_ps(v.hi, v.hi, 1)};
}
KV_INLINE f32x16 fold2(f32x16 v) { return {_mm256_permute_ps(v.lo, 0x4E), _mm256_permute_ps(v.hi, 0x4E)}; }
KV_INLINE float first(f32x16 v) { return _mm256_cvtss_f32(v.lo); }
KV_INLINE int32_t first(i32x16 v) { return _mm256_cvtsi256_si32(v.lo); }

#if KVASIR_VNNI

// acc[i] += Σ k[4i + j]·q[j], j < 4, where k is s8 + 128 as u8 (a key) and q is four s8 (see attention_page.h).
KV_INLINE i32x16 dot4(i32x16 acc, i32x16 k, int32_t q) {
  const __m256i query = _mm256_set1_epi32(q);
  return {_mm256_dpbusd_avx_epi32(acc.lo, k.lo, query), _mm256_dpbusd_avx_epi32(acc.hi, k.hi, query)};
}
constexpr bool kDotBiased = true;  // keys are biased by 128
KV_INLINE i32x16 load_keys(const uint8_t* p) {
  const i32x16 keys = load_bytes(p);
  const __m256i bias = _mm256_set1_epi8(-128);
  return {_mm256_xor_si256(keys.lo, bias), _mm256_xor_si256(keys.hi, bias)};
}

#else

// acc[i] += Σ k[4i + j]·q[j], j < 4, both s8 in ±127: |q| is the unsigned side of pmaddubsw, and k takes q's sign.
// Two products stay under 2·127², so the 16-bit sums are exact.
KV_INLINE i32x16 dot4(i32x16 acc, i32x16 k, int32_t q) {
  const __m256i query = _mm256_set1_epi32(q), size = _mm256_abs_epi8(query), ones = _mm256_set1_epi16(1);
  const __m256i lo = _mm256_maddubs_epi16(size, _mm256_sign_epi8(k.lo, query));
  const __m256i hi = _mm256_maddubs_epi16(size, _mm256_sign_epi8(k.hi, query));
  return {_mm256_add_epi32(acc.lo, _mm256_madd_epi16(lo, ones)), _mm256_add_epi32(acc.hi, _mm256_madd_epi16(hi, ones))};
}
constexpr bool kDotBiased = false;
KV_INLINE i32x16 load_keys(const uint8_t* p) { return load_bytes(p); }

#endif

// acc[i] += v[2i]·w[0] + v[2i + 1]·w[1], where v is 32 s8 widened to s16 and w is two s16.
KV_INLINE i32x16 load_pairs(const int8_t* p) {
  const __m128i* at = reinterpret_cast<const __m128i*>(p);
  return {_mm256_cvtepi8_epi16(_mm_loadu_si128(at)), _mm256_cvtepi8_epi16(_mm_loadu_si128(at + 1))};
}
KV_INLINE i32x16 dot2(i32x16 acc, i32x16 v, int32_t w) {
  const __m256i pair = _mm256_set1_epi32(w);
#if KVASIR_VNNI
  return {_mm256_dpwssd_avx_epi32(acc.lo, v.lo, pair), _mm256_dpwssd_avx_epi32(acc.hi, v.hi, pair)};
#else
  return {_mm256_add_epi32(acc.lo, _mm256_madd_epi16(v.lo, pair)),
          _mm256_add_epi32(acc.hi, _mm256_madd_epi16(v.hi, pair))};
#endif
}
KV_INLINE void store_s16(int16_t* p, i32x16 v) {
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(v.lo, v.hi), 0xD8);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), words);
}

constexpr int kScoreRows = 2;
constexpr int kTileRows = 2;
constexpr int kTileVectors = 2;

#undef KV_BOTH

}  // namespace kvasir::cpu::KVASIR_ISA
