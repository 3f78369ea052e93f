// Vectors as the quantised kernels see them: kRows rows at a time, four to a 128-bit lane.
//
//   Bytes   4 vectors hold 16 consecutive values of each row: vector j, lane i is row 4·i + j
//   Bytes   or kRows int32, one a row, in order
//   Floats  kRows floats, one a row, in order
#pragma once

#if KVASIR_NEON
#include "native/cpu/lanes_neon.h"
#else
#include <immintrin.h>
#endif

#include <cstdint>
#include <cstring>

#include "native/cpu/linear_half.h"

namespace kvasir::cpu::KVASIR_ISA {

#if KVASIR_NEON
constexpr int kRows = 4;
#elif defined(__AVX512VNNI__)
#define KV_SIMD(name) _mm512_##name
using Bytes = __m512i;
using Floats = __m512;
constexpr int kRows = 16;
KVASIR_INLINE Bytes dot_bytes(Bytes acc, Bytes w, Bytes x) { return _mm512_dpbusd_epi32(acc, w, x); }
#else
#define KV_SIMD(name) _mm256_##name
using Bytes = __m256i;
using Floats = __m256;
constexpr int kRows = 8;
#if KVASIR_VNNI
KVASIR_INLINE Bytes dot_bytes(Bytes acc, Bytes w, Bytes x) { return _mm256_dpbusd_avx_epi32(acc, w, x); }
#endif
#endif

KVASIR_INLINE int32_t load_i32(const uint8_t* p) {
  int32_t value;
  memcpy(&value, p, sizeof value);
  return value;
}

#if KVASIR_NEON

KVASIR_INLINE Bytes load_lanes(const uint8_t* p, int64_t) { return load16(p); }
KVASIR_INLINE Bytes splat16(const void* p) { return load16(p); }
KVASIR_INLINE Bytes gather_rows(const uint8_t* p, int64_t s) {
  return bytes(int32x4_t{load_i32(p), load_i32(p + s), load_i32(p + 2 * s), load_i32(p + 3 * s)});
}
KVASIR_INLINE Floats halves_to_floats(Bytes v) { return vcvt_f32_f16(vreinterpret_f16_s16(vmovn_s32(words(v)))); }
KVASIR_INLINE Bytes sum_lanes(Bytes a, Bytes b, Bytes c, Bytes d) {
  return bytes(vpaddq_s32(vpaddq_s32(words(a), words(b)), vpaddq_s32(words(c), words(d))));
}

#else

KVASIR_INLINE __m128i load16(const uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }

// 16 bytes at p, p + s, p + 2s, …, a lane each.
KVASIR_INLINE Bytes load_lanes(const uint8_t* p, int64_t s) {
#if defined(__AVX512VNNI__)
  Bytes v = _mm512_castsi128_si512(load16(p));
  v = _mm512_inserti32x4(v, load16(p + s), 1);
  v = _mm512_inserti32x4(v, load16(p + 2 * s), 2);
  return _mm512_inserti32x4(v, load16(p + 3 * s), 3);
#else
  return _mm256_inserti128_si256(_mm256_castsi128_si256(load16(p)), load16(p + s), 1);
#endif
}

// The same 16 bytes in every lane.
KVASIR_INLINE Bytes splat16(const void* p) {
  const __m128i v = load16(static_cast<const uint8_t*>(p));
#if defined(__AVX512VNNI__)
  return _mm512_broadcast_i32x4(v);
#else
  return _mm256_broadcastsi128_si256(v);
#endif
}

KVASIR_INLINE __m128i gather4(const uint8_t* p, int64_t s) {
  __m128i v = _mm_cvtsi32_si128(load_i32(p));
  v = _mm_insert_epi32(v, load_i32(p + s), 1);
  v = _mm_insert_epi32(v, load_i32(p + 2 * s), 2);
  return _mm_insert_epi32(v, load_i32(p + 3 * s), 3);
}

// The 32 bits at p of each row; rows are s bytes apart.
KVASIR_INLINE Bytes gather_rows(const uint8_t* p, int64_t s) {
#if defined(__AVX512VNNI__)
  Bytes v = _mm512_castsi128_si512(gather4(p, s));
  v = _mm512_inserti32x4(v, gather4(p + 4 * s, s), 1);
  v = _mm512_inserti32x4(v, gather4(p + 8 * s, s), 2);
  return _mm512_inserti32x4(v, gather4(p + 12 * s, s), 3);
#else
  return _mm256_inserti128_si256(_mm256_castsi128_si256(gather4(p, s)), gather4(p + 4 * s, s), 1);
#endif
}

// The half-precision number in the low 16 bits of each row's 32.
KVASIR_INLINE Floats halves_to_floats(Bytes v) {
#if defined(__AVX512VNNI__)
  return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(v));
#else
  const Bytes low = _mm256_and_si256(v, _mm256_set1_epi32(0xffff));
  const Bytes packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(low, low), 0x08);
  return _mm256_cvtph_ps(_mm256_castsi256_si128(packed));
#endif
}

// Adds the four int32 of every lane: row sums in order.
KVASIR_INLINE Bytes sum_lanes(Bytes a, Bytes b, Bytes c, Bytes d) {
  const Bytes ab = KV_SIMD(add_epi32)(KV_SIMD(unpacklo_epi32)(a, b), KV_SIMD(unpackhi_epi32)(a, b));
  const Bytes cd = KV_SIMD(add_epi32)(KV_SIMD(unpacklo_epi32)(c, d), KV_SIMD(unpackhi_epi32)(c, d));
  return KV_SIMD(add_epi32)(KV_SIMD(unpacklo_epi64)(ab, cd), KV_SIMD(unpackhi_epi64)(ab, cd));
}

#endif

// Turns 16 values of each row into four vectors of 4 values of each row, rows in order.
KVASIR_INLINE void transpose_lanes(const Bytes* v, Bytes* out) {
  const Bytes ab0 = KV_SIMD(unpacklo_epi32)(v[0], v[1]), ab1 = KV_SIMD(unpackhi_epi32)(v[0], v[1]);
  const Bytes cd0 = KV_SIMD(unpacklo_epi32)(v[2], v[3]), cd1 = KV_SIMD(unpackhi_epi32)(v[2], v[3]);
  out[0] = KV_SIMD(unpacklo_epi64)(ab0, cd0);
  out[1] = KV_SIMD(unpackhi_epi64)(ab0, cd0);
  out[2] = KV_SIMD(unpacklo_epi64)(ab1, cd1);
  out[3] = KV_SIMD(unpackhi_epi64)(ab1, cd1);
}

}  // namespace kvasir::cpu::KVASIR_ISA
