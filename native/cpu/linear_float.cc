// linear with f32, f16 and bf16 weights: register tiles of dot products, each with the 16 partial sums that
// native/ops/linear.h asks for (one vector in AVX-512, two in AVX2). Nothing is packed.

#include "native/cpu/linear_parts.h"

#if defined(__AVX2__)

#include <immintrin.h>

#include "native/cpu/linear_half.h"

namespace kvasir::cpu::KVASIR_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int kRows = 4, kColumns = 6;
struct Sixteen {
  __m512 v;
};
KVASIR_INLINE Sixteen zero() { return {_mm512_setzero_ps()}; }
KVASIR_INLINE Sixteen load(const float* p) { return {_mm512_loadu_ps(p)}; }
KVASIR_INLINE Sixteen fma(Sixteen a, Sixteen b, Sixteen c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
KVASIR_INLINE void store(float* p, Sixteen a) { _mm512_storeu_ps(p, a.v); }
template <Dtype F>
KVASIR_INLINE Sixteen load_weights(const uint8_t* p) {
  if constexpr (F == Dtype::f32) return {_mm512_loadu_ps(p)};
  const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  if constexpr (F == Dtype::f16) return {_mm512_cvtph_ps(half)};
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16))};
}
#else
constexpr int kRows = 2, kColumns = 3;
struct Sixteen {
  __m256 low, high;
};
KVASIR_INLINE Sixteen zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
KVASIR_INLINE Sixteen load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
KVASIR_INLINE Sixteen fma(Sixteen a, Sixteen b, Sixteen c) {
  return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
KVASIR_INLINE void store(float* p, Sixteen a) {
  _mm256_storeu_ps(p, a.low);
  _mm256_storeu_ps(p + 8, a.high);
}
template <Dtype F>
KVASIR_INLINE __m256 load_eight(const uint8_t* p) {
  if constexpr (F == Dtype::f32) return _mm256_loadu_ps(reinterpret_cast<const float*>(p));
  const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  if constexpr (F == Dtype::f16) return _mm256_cvtph_ps(half);
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}
template <Dtype F>
KVASIR_INLINE Sixteen load_weights(const uint8_t* p) {
  return {load_eight<F>(p), load_eight<F>(p + 8 * block_of(F).bytes)};
}
#endif

constexpr int64_t kActivationBytes = 384 << 10;  // of a block of columns, in L2

// R rows from r on, C tokens from t on.
template <Dtype F, int R, int C>
void tile(const Linear& op, const Linear::Segment& segment, int32_t r, int64_t t) {
  const Weight& w = segment.w;
  const uint8_t* row = w.data + r * w.row_bytes;
  const uint8_t* x = op.x.data + t * op.x.stride;
  Sixteen acc[R][C];
  KVASIR_UNROLL
  for (int i = 0; i < R; ++i) {
    KVASIR_UNROLL
    for (int c = 0; c < C; ++c) acc[i][c] = zero();
  }
  const int64_t whole = w.cols / 16 * 16;
  for (int64_t k = 0; k < whole; k += 16) {
    Sixteen weights[R];
    KVASIR_UNROLL
    for (int i = 0; i < R; ++i) weights[i] = load_weights<F>(row + i * w.row_bytes + k * block_of(F).bytes);
    KVASIR_UNROLL
    for (int c = 0; c < C; ++c) {
      const Sixteen activations = load(reinterpret_cast<const float*>(x + c * op.x.stride) + k);
      KVASIR_UNROLL
      for (int i = 0; i < R; ++i) acc[i][c] = fma(weights[i], activations, acc[i][c]);
    }
  }
  KVASIR_UNROLL
  for (int i = 0; i < R; ++i) {
    KVASIR_UNROLL
    for (int c = 0; c < C; ++c) {
      float partial[16];
      store(partial, acc[i][c]);
      const float* xc = reinterpret_cast<const float*>(x + c * op.x.stride);
      for (int64_t k = whole; k < w.cols; ++k) {
        partial[k - whole] = __builtin_fmaf(load_float(F, row + i * w.row_bytes, k), xc[k], partial[k - whole]);
      }
      store_output(op, segment, t + c, r + i, sum_partials(partial));
    }
  }
}

template <Dtype F, int R>
void columns(const Linear& op, const Linear::Segment& segment, int32_t r, int64_t t, int64_t end) {
  for (; t + kColumns <= end; t += kColumns) tile<F, R, kColumns>(op, segment, r, t);
  for (; t + 2 <= end; t += 2) tile<F, R, 2>(op, segment, r, t);
  if (t < end) tile<F, R, 1>(op, segment, r, t);
}

template <Dtype F>
void blocks(const Linear& op, const Linear::Segment& segment, RowRange rows) {
  int64_t block = kActivationBytes / (op.x.stride ? op.x.stride : 1) / kColumns * kColumns;
  if (block < 4 * kColumns) block = 4 * kColumns;
  for (int64_t t = 0; t < op.x.rows; t += block) {
    const int64_t end = t + block < op.x.rows ? t + block : op.x.rows;
    int32_t r = rows.begin;
    for (; r + kRows <= rows.end; r += kRows) columns<F, kRows>(op, segment, r, t, end);
    for (; r < rows.end; ++r) columns<F, 1>(op, segment, r, t, end);
  }
}

}  // namespace

void linear_float(const Linear& op, const Linear::Segment& segment, RowRange rows) {
  switch (segment.w.dtype) {
    case Dtype::f16:
      return blocks<Dtype::f16>(op, segment, rows);
    case Dtype::bf16:
      return blocks<Dtype::bf16>(op, segment, rows);
    default:
      return blocks<Dtype::f32>(op, segment, rows);
  }
}

}  // namespace kvasir::cpu::KVASIR_ISA

#endif
