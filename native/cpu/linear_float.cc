// linear with f32, f16 and bf16 weights: register tiles of dot products, each with the 16 partial sums that
// native/ops/linear.h asks for (one vector in AVX-512, two in AVX2). Nothing is packed. A piece of K of kBlockRows
// rows stays in L1 while all columns of a block, which stays in L2, pass over it.
//
//   scratch:  partials [columns][kBlockRows][16] f32

#include "native/cpu/linear_parts.h"

#if defined(__AVX2__)

#include <immintrin.h>

#include "native/cpu/linear_half.h"
#include "native/cpu/linear_output.h"

namespace kvasir::cpu::KVASIR_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int kRows = 4, kColumns = 6;
struct Sixteen {
  __m512 v;
};
KVASIR_INLINE Sixteen zero() { return {_mm512_setzero_ps()}; }
KVASIR_INLINE Sixteen load(const float* p) { return {_mm512_loadu_ps(p)}; }
KVASIR_INLINE __m256 halve(Sixteen a) {
  return _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
}
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
KVASIR_INLINE __m256 halve(Sixteen a) { return _mm256_add_ps(a.low, a.high); }
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

constexpr int32_t kBlockRows = 8;
constexpr int64_t kPiece = 512;                  // of K: 16 KB of f32 weights
constexpr int64_t kActivationBytes = 384 << 10;  // of a block of columns
constexpr int64_t kFewestColumns = 48;           // fewer and reading the weights again would weigh more
constexpr int64_t kMostColumns = 240;

// partials[c][i] += products over k < count, a multiple of 16, for R rows and C columns.
template <Dtype F, int R, int C>
KVASIR_INLINE void tile(const uint8_t* row, int64_t row_bytes, const uint8_t* x, int64_t stride, int64_t count,
                        float* partials) {
  Sixteen acc[R][C];
  KVASIR_UNROLL
  for (int i = 0; i < R; ++i) {
    KVASIR_UNROLL
    for (int c = 0; c < C; ++c) acc[i][c] = load(partials + (c * kBlockRows + i) * 16);
  }
  for (int64_t k = 0; k < count; k += 16) {
    Sixteen weights[R];
    KVASIR_UNROLL
    for (int i = 0; i < R; ++i) weights[i] = load_weights<F>(row + i * row_bytes + k * block_of(F).bytes);
    KVASIR_UNROLL
    for (int c = 0; c < C; ++c) {
      const Sixteen activations = load(reinterpret_cast<const float*>(x + c * stride) + k);
      KVASIR_UNROLL
      for (int i = 0; i < R; ++i) acc[i][c] = fma(weights[i], activations, acc[i][c]);
    }
  }
  KVASIR_UNROLL
  for (int i = 0; i < R; ++i) {
    KVASIR_UNROLL
    for (int c = 0; c < C; ++c) store(partials + (c * kBlockRows + i) * 16, acc[i][c]);
  }
}

// One piece of K of a block of rows with all columns of a block.
template <Dtype F, int R>
void multiply(const uint8_t* row, int64_t row_bytes, int32_t rows, const uint8_t* x, int64_t stride, int64_t columns,
              int64_t count, float* partials) {
  for (int64_t c = 0; c < columns;) {
    const int64_t width = columns - c >= kColumns ? kColumns : columns - c >= 2 ? 2 : 1;
    for (int32_t i = 0; i + R <= rows; i += R) {
      const uint8_t* w = row + i * row_bytes;
      float* out = partials + (c * kBlockRows + i) * 16;
      if (width == kColumns)
        tile<F, R, kColumns>(w, row_bytes, x + c * stride, stride, count, out);
      else if (width == 2)
        tile<F, R, 2>(w, row_bytes, x + c * stride, stride, count, out);
      else
        tile<F, R, 1>(w, row_bytes, x + c * stride, stride, count, out);
    }
    c += width;
  }
}

// Ends the sums of four rows by the tree: j + 8, j + 4, then j + 2 and j + 1 of all four at once.
KVASIR_INLINE __m128 sum_four(const float* partials) {
  __m128 v[4];
  KVASIR_UNROLL
  for (int i = 0; i < 4; ++i) {
    const __m256 eight = halve(load(partials + i * 16));
    v[i] = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  }
  const __m128 ab = _mm_add_ps(_mm_unpacklo_ps(v[0], v[1]), _mm_unpackhi_ps(v[0], v[1]));
  const __m128 cd = _mm_add_ps(_mm_unpacklo_ps(v[2], v[3]), _mm_unpackhi_ps(v[2], v[3]));
  return _mm_add_ps(_mm_movelh_ps(ab, cd), _mm_movehl_ps(cd, ab));
}

// The values of K past the last multiple of 16, for partials 0….
template <Dtype F>
void add_tail(const Weight& w, const uint8_t* row, int32_t rows, const uint8_t* x, int64_t stride, int64_t columns,
              float* partials) {
  const int64_t whole = w.cols / 16 * 16;
  for (int64_t c = 0; c < columns; ++c) {
    const float* xc = reinterpret_cast<const float*>(x + c * stride);
    for (int32_t i = 0; i < rows; ++i) {
      float* partial = partials + (c * kBlockRows + i) * 16;
      for (int64_t k = whole; k < w.cols; ++k) {
        partial[k - whole] = __builtin_fmaf(load_float(F, row + i * w.row_bytes, k), xc[k], partial[k - whole]);
      }
    }
  }
}

template <Dtype F>
void multiply_rows(const Linear& op, const Linear::Segment& segment, RowRange range, int64_t first, int64_t columns,
                   float* partials) {
  const Weight& w = segment.w;
  const int64_t whole = w.cols / 16 * 16;
  // With few columns there is nothing to keep in L1, and whole rows stream better.
  const int64_t piece = columns <= 4 ? whole : kPiece;
  const uint8_t* x = op.x.data + first * op.x.stride;
  for (int32_t r = range.begin; r < range.end; r += kBlockRows) {
    const int32_t rows = r + kBlockRows < range.end ? kBlockRows : range.end - r;
    const int32_t tiled = rows / kRows * kRows;
    const uint8_t* row = w.data + r * w.row_bytes;
    memset(partials, 0, size_t(columns * kBlockRows * 16) * sizeof(float));
    for (int64_t k = 0; k < whole; k += piece) {
      const int64_t count = k + piece < whole ? piece : whole - k;
      const uint8_t* from = row + k * block_of(F).bytes;
      multiply<F, kRows>(from, w.row_bytes, tiled, x + k * 4, op.x.stride, columns, count, partials);
      multiply<F, 1>(from + tiled * w.row_bytes, w.row_bytes, rows - tiled, x + k * 4, op.x.stride, columns, count,
                     partials + tiled * 16);
    }
    if (whole < w.cols) add_tail<F>(w, row, rows, x, op.x.stride, columns, partials);
    for (int64_t c = 0; c < columns; ++c) {
      float sums[kBlockRows];
      for (int i = 0; i < kBlockRows; i += 4) _mm_storeu_ps(sums + i, sum_four(partials + (c * kBlockRows + i) * 16));
      store_outputs(op, segment, first + c, r, sums, rows);
    }
  }
}

template <Dtype F>
void blocks(const Linear& op, const Linear::Segment& segment, RowRange rows, const Worker& worker) {
  int64_t most = kActivationBytes / (op.x.stride ? op.x.stride : 1);
  most = most < kFewestColumns ? kFewestColumns : most > kMostColumns ? kMostColumns : most;
  const int64_t count = (op.x.rows + most - 1) / most;
  const int64_t columns = ((op.x.rows + count - 1) / count + kColumns - 1) / kColumns * kColumns;
  for (int64_t t = 0; t < op.x.rows; t += columns) {
    const int64_t some = t + columns < op.x.rows ? columns : op.x.rows - t;
    multiply_rows<F>(op, segment, rows, t, some, reinterpret_cast<float*>(worker.scratch));
  }
}

static_assert((kMostColumns + kColumns) * kBlockRows * 16 * 4 <= kScratchBytes);

}  // namespace

void linear_float(const Linear& op, const Linear::Segment& segment, RowRange rows, const Worker& worker) {
  switch (segment.w.dtype) {
    case Dtype::f16:
      return blocks<Dtype::f16>(op, segment, rows, worker);
    case Dtype::bf16:
      return blocks<Dtype::bf16>(op, segment, rows, worker);
    default:
      return blocks<Dtype::f32>(op, segment, rows, worker);
  }
}

}  // namespace kvasir::cpu::KVASIR_ISA

#endif
