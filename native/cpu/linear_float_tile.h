// A register tile of dot products of floats for linear_float.cc: rows × columns of them, each with the 16 partial sums that
// native/ops/linear.h asks for (one vector in AVX-512, two parts in AVX2, four in NEON), and the tree that ends them.
#pragma once

#if KVASIR_NEON
#include "native/cpu/lanes_neon.h"
#else
#include <immintrin.h>
#endif

#include "native/cpu/linear_half.h"

namespace kvasir::cpu::KVASIR_ISA {

#if KVASIR_NEON
using Part = Floats;
constexpr int kRows = 2, kColumns = 3;
#elif defined(__AVX512F__)
#define KV_SIMD(name) _mm512_##name
using Part = __m512;
constexpr int kRows = 4, kColumns = 6;
#else
#define KV_SIMD(name) _mm256_##name
using Part = __m256;
constexpr int kRows = 2, kColumns = 3;
#endif
constexpr int kLanes = sizeof(Part) / sizeof(float);
constexpr int kParts = 16 / kLanes;  // of 16 partial sums

template <Dtype F>
KVASIR_INLINE Part load_weights(const uint8_t* p) {
  if constexpr (F == Dtype::f32) return KV_SIMD(loadu_ps)(reinterpret_cast<const float*>(p));
#if KVASIR_NEON
  const uint16x4_t half = vld1_u16(reinterpret_cast<const uint16_t*>(p));
  if constexpr (F == Dtype::f16) return vcvt_f32_f16(vreinterpret_f16_u16(half));
  return vreinterpretq_f32_u32(vshll_n_u16(half, 16));
#elif defined(__AVX512F__)
  const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  if constexpr (F == Dtype::f16) return _mm512_cvtph_ps(half);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
#else
  const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  if constexpr (F == Dtype::f16) return _mm256_cvtph_ps(half);
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
#endif
}

KVASIR_INLINE Part zero() {
#if KVASIR_NEON
  return vdupq_n_f32(0.0f);
#else
  return KV_SIMD(setzero_ps)();
#endif
}

// gcc would load it again for every row.
KVASIR_INLINE void keep(Part& v) {
#if KVASIR_NEON
  asm("" : "+w"(v));
#elif defined(__AVX512F__)
  asm("" : "+v"(v));  // any of 32 registers; x names the lower half
#else
  asm("" : "+x"(v));
#endif
}

constexpr int32_t kBlockRows = 8;
// Of K: the weights of a block and the columns of a tile fill two thirds of L1, 48 KB where there is AVX-512.
constexpr int64_t kPiece = kLanes == 16 ? 640 : 512;
constexpr int64_t kDistance = 512;  // bytes that a streamed row is prefetched ahead

// Ends the 16 partial sums of kSummed rows, kParts vectors each, by the tree: j + 8, j + 4, j + 2, j + 1.
#if KVASIR_NEON
constexpr int kSummed = 2;
KVASIR_INLINE void sum_rows(const Part (*v)[kParts], float* sums) {
  float32x4_t row[2];
  KVASIR_UNROLL
  for (int i = 0; i < 2; ++i) row[i] = vaddq_f32(vaddq_f32(v[i][0], v[i][2]), vaddq_f32(v[i][1], v[i][3]));
  const float32x4_t both = vaddq_f32(vzip1q_f32(row[0], row[1]), vzip2q_f32(row[0], row[1]));
  vst1_f32(sums, vadd_f32(vget_low_f32(both), vget_high_f32(both)));
}
#elif defined(__AVX512F__)
constexpr int kSummed = 4;
KVASIR_INLINE void sum_rows(const Part (*v)[kParts], float* sums) {
  const auto halves = [](Part a, Part b) __attribute__((always_inline)) {
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xEE));
  };
  const Part ab = halves(v[0][0], v[1][0]), cd = halves(v[2][0], v[3][0]);
  Part all = _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xDD));
  all = _mm512_add_ps(all, _mm512_permute_ps(all, 0x4E));
  all = _mm512_add_ps(all, _mm512_permute_ps(all, 0xB1));
  const __m512i first = _mm512_castsi128_si512(_mm_set_epi32(12, 8, 4, 0));
  _mm_storeu_ps(sums, _mm512_castps512_ps128(_mm512_permutexvar_ps(first, all)));
}
#else
constexpr int kSummed = 2;
KVASIR_INLINE void sum_rows(const Part (*v)[kParts], float* sums) {
  const Part a = _mm256_add_ps(v[0][0], v[0][1]), b = _mm256_add_ps(v[1][0], v[1][1]);
  Part both = _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
  both = _mm256_add_ps(both, _mm256_permute_ps(both, 0x4E));
  both = _mm256_add_ps(both, _mm256_permute_ps(both, 0xB1));
  _mm_store_ss(sums, _mm256_castps256_ps128(both));
  _mm_store_ss(sums + 1, _mm256_extractf128_ps(both, 1));
}
#endif

// Where a piece of K stands among the pieces: the sums of the first begin at 0, those of the last end.
struct Piece {
  int64_t count;  // values of K, a multiple of 16
  bool first, last;
};

// Products over a piece of K for R rows and C columns, added to partials[c][i][16] or, at the end, to sums[c][i]. kStream:
// the weights come from memory.
template <Dtype F, int R, int C, bool kStream>
KVASIR_INLINE void tile(const uint8_t* row, int64_t row_bytes, const uint8_t* x, int64_t stride, Piece piece,
                        float* partials, float* sums) {
  Part acc[C][R][kParts];
  const auto at = [partials](int part, int i, int c) { return partials + (c * kBlockRows + i) * 16 + part * kLanes; };
  const auto each = [](auto visit) __attribute__((always_inline)) {
    KVASIR_UNROLL
    for (int c = 0; c < C; ++c) {
      KVASIR_UNROLL
      for (int i = 0; i < R; ++i) {
        KVASIR_UNROLL
        for (int part = 0; part < kParts; ++part) visit(part, i, c);
      }
    }
  };
  if (piece.first)
    each([&](int part, int i, int c) __attribute__((always_inline)) { acc[c][i][part] = zero(); });
  else
    each([&](int part, int i, int c)
             __attribute__((always_inline)) { acc[c][i][part] = KV_SIMD(loadu_ps)(at(part, i, c)); });
  for (int64_t k = 0; k < piece.count; k += 16) {
    if constexpr (kStream) {
      KVASIR_UNROLL
      for (int i = 0; i < R; ++i) {
        const uint8_t* ahead = row + i * row_bytes + k * block_of(F).bytes + kDistance;
        __builtin_prefetch(ahead, 0, 3);
      }
    }
    KVASIR_UNROLL
    for (int part = 0; part < kParts; ++part) {
      Part weights[R];
      KVASIR_UNROLL
      for (int i = 0; i < R; ++i) {
        weights[i] = load_weights<F>(row + i * row_bytes + (k + part * kLanes) * block_of(F).bytes);
        if constexpr (kLanes == 16) keep(weights[i]);  // gcc 12 would spill one with registers left
      }
      KVASIR_UNROLL
      for (int c = 0; c < C; ++c) {
        Part activations = KV_SIMD(loadu_ps)(reinterpret_cast<const float*>(x + c * stride) + k + part * kLanes);
        keep(activations);
        KVASIR_UNROLL
        for (int i = 0; i < R; ++i) {
          acc[c][i][part] = KV_SIMD(fmadd_ps)(weights[i], activations, acc[c][i][part]);
        }
      }
    }
  }
  if (!piece.last)
    return each([&](int part, int i, int c) __attribute__((always_inline)) {
      KV_SIMD(storeu_ps)(at(part, i, c), acc[c][i][part]);
    });
  KVASIR_UNROLL
  for (int c = 0; c < C; ++c) {
    constexpr int kWhole = R / kSummed * kSummed;
    KVASIR_UNROLL
    for (int i = 0; i < kWhole; i += kSummed) sum_rows(&acc[c][i], sums + c * kBlockRows + i);
    KVASIR_UNROLL
    for (int i = kWhole; i < R; ++i) {
      float partial[16];
      KVASIR_UNROLL
      for (int part = 0; part < kParts; ++part) KV_SIMD(storeu_ps)(partial + part * kLanes, acc[c][i][part]);
      sums[c * kBlockRows + i] = sum_partials(partial);
    }
  }
}

}  // namespace kvasir::cpu::KVASIR_ISA
