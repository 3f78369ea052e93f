// Sixteen lanes in one register of AVX-512. See native/cpu/vec.h, which alone includes this.
#pragma once

#include <immintrin.h>

namespace kvasir::cpu::KVASIR_ISA {

using f32x16 = __m512;
using i32x16 = __m512i;
using mask16 = __mmask16;

KV_INLINE f32x16 load(const float* p) { return _mm512_loadu_ps(p); }
KV_INLINE void store(float* p, f32x16 v) { _mm512_storeu_ps(p, v); }
KV_INLINE f32x16 set1(float x) { return _mm512_set1_ps(x); }
KV_INLINE f32x16 add(f32x16 a, f32x16 b) { return _mm512_add_ps(a, b); }
KV_INLINE f32x16 sub(f32x16 a, f32x16 b) { return _mm512_sub_ps(a, b); }
KV_INLINE f32x16 mul(f32x16 a, f32x16 b) { return _mm512_mul_ps(a, b); }
KV_INLINE f32x16 div(f32x16 a, f32x16 b) { return _mm512_div_ps(a, b); }
KV_INLINE f32x16 fma(f32x16 a, f32x16 b, f32x16 c) { return _mm512_fmadd_ps(a, b, c); }
KV_INLINE f32x16 max(f32x16 a, f32x16 b) { return _mm512_max_ps(a, b); }
KV_INLINE f32x16 min(f32x16 a, f32x16 b) { return _mm512_min_ps(a, b); }
KV_INLINE f32x16 swap_pairs(f32x16 v) { return _mm512_permute_ps(v, 0xB1); }

KV_INLINE i32x16 load(const int32_t* p) { return _mm512_loadu_si512(p); }
KV_INLINE void store(int32_t* p, i32x16 v) { _mm512_storeu_si512(p, v); }
KV_INLINE i32x16 set1(int32_t x) { return _mm512_set1_epi32(x); }
KV_INLINE i32x16 add(i32x16 a, i32x16 b) { return _mm512_add_epi32(a, b); }
KV_INLINE i32x16 sub(i32x16 a, i32x16 b) { return _mm512_sub_epi32(a, b); }
KV_INLINE i32x16 max(i32x16 a, i32x16 b) { return _mm512_max_epi32(a, b); }
KV_INLINE i32x16 and_(i32x16 a, i32x16 b) { return _mm512_and_si512(a, b); }
template <int n>
KV_INLINE i32x16 shift_left(i32x16 a) {
  return _mm512_slli_epi32(a, n);
}

KV_INLINE i32x16 bits(f32x16 v) { return _mm512_castps_si512(v); }
KV_INLINE f32x16 from_bits(i32x16 v) { return _mm512_castsi512_ps(v); }
KV_INLINE f32x16 to_f32(i32x16 v) { return _mm512_cvtepi32_ps(v); }
KV_INLINE i32x16 round_i32(f32x16 v) { return _mm512_cvtps_epi32(v); }

KV_INLINE mask16 less(f32x16 a, f32x16 b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
KV_INLINE mask16 at_least(f32x16 a, f32x16 b) { return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ); }
KV_INLINE mask16 less(i32x16 a, i32x16 b) { return _mm512_cmplt_epi32_mask(a, b); }
KV_INLINE mask16 and_(mask16 a, mask16 b) { return a & b; }
KV_INLINE f32x16 select(mask16 m, f32x16 yes, f32x16 no) { return _mm512_mask_blend_ps(m, no, yes); }
KV_INLINE uint32_t lanes(mask16 m) { return m; }

KV_INLINE f32x16 load_f16(const uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
KV_INLINE void store_f16(uint16_t* p, f32x16 v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}
KV_INLINE f32x16 load_s8(const int8_t* p) {
  return to_f32(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
KV_INLINE void store_s8(int8_t* p, i32x16 v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtsepi32_epi8(v));
}

// The halves of a vector, added or compared, down to one lane: the tree 8, 4, 2, 1.
KV_INLINE f32x16 fold8(f32x16 v) { return _mm512_shuffle_f32x4(v, v, 0x4E); }
KV_INLINE f32x16 fold4(f32x16 v) { return _mm512_shuffle_f32x4(v, v, 0xB1); }
KV_INLINE f32x16 fold2(f32x16 v) { return _mm512_permute_ps(v, 0x4E); }
KV_INLINE float first(f32x16 v) { return _mm512_cvtss_f32(v); }
KV_INLINE int32_t first(i32x16 v) { return _mm_cvtsi128_si32(_mm512_castsi512_si128(v)); }

// acc[i] += Σ k[4i + j]·q[j], j < 4, where k is s8 + 128 as u8 (a key) and q is four s8 (see attention_page.h).
KV_INLINE i32x16 load_keys(const uint8_t* p) { return _mm512_xor_si512(_mm512_loadu_si512(p), _mm512_set1_epi8(-128)); }
// In assembly, here and in dot2: GCC 12 copies the accumulators of the intrinsics around.
KV_INLINE i32x16 dot4(i32x16 acc, i32x16 k, int32_t q) {
  asm("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(k), "v"(_mm512_set1_epi32(q)));
  return acc;
}
constexpr bool kDotBiased = true;  // keys are biased by 128

// acc[i] += v[2i]·w[0] + v[2i + 1]·w[1], where v is 32 s8 widened to s16 and w is two s16.
KV_INLINE i32x16 load_pairs(const int8_t* p) {
  return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
KV_INLINE i32x16 dot2(i32x16 acc, i32x16 v, int32_t w) {
  asm("vpdpwssd %2, %1, %0" : "+v"(acc) : "v"(v), "v"(_mm512_set1_epi32(w)));
  return acc;
}
KV_INLINE void store_s16(int16_t* p, i32x16 v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtsepi32_epi16(v));
}

constexpr int kScoreRows = 8;    // rows of scores that fit the registers
constexpr int kTileRows = 6;     // rows of outputs
constexpr int kTileVectors = 4;  // vectors of an output row that fit beside

}  // namespace kvasir::cpu::KVASIR_ISA
