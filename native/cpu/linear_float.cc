// linear with f32, f16 and bf16 weights: register tiles of dot products, each with the 16 partial sums that
// native/ops/linear.h asks for (one vector in AVX-512, two parts in AVX2). Nothing is packed. A piece of K of
// kBlockRows rows stays in L1 while all columns of a block, which stays in L2, pass over it.
//
//   scratch:  partials [columns][kBlockRows][16] f32 | activations [piece of K][columns][of it] f32
//
// The activations are copied because rows whose stride is a power of two would share few sets of the cache.

#include "native/cpu/linear_parts.h"

#if KVASIR_VECTORS

#if KVASIR_NEON
#include "native/cpu/lanes_neon.h"
#else
#include <immintrin.h>
#endif

#include "native/cpu/linear_ahead.h"
#include "native/cpu/linear_half.h"
#include "native/cpu/linear_output.h"

namespace kvasir::cpu::KVASIR_ISA {
namespace {

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

// gcc would load it again for every row.
KVASIR_INLINE void keep(Part& v) {
#if KVASIR_NEON
  asm("" : "+w"(v));
#else
  asm("" : "+x"(v));
#endif
}

constexpr int32_t kBlockRows = 8;
constexpr int64_t kPiece = 512;                  // of K: 16 KB of f32 weights
constexpr int64_t kActivationBytes = 384 << 10;  // of a block of columns
constexpr int64_t kFewestColumns = 48;           // fewer and reading the weights again would weigh more
constexpr int64_t kMostColumns = 240;
constexpr int64_t kDistance = 512;  // bytes that a streamed row is prefetched ahead

// partials[c][i] += products over k < count, a multiple of 16, for R rows and C columns. kStream: the weights
// come from memory.
template <Dtype F, int R, int C, bool kStream>
KVASIR_INLINE void tile(const uint8_t* row, int64_t row_bytes, const uint8_t* x, int64_t stride, int64_t count,
                        float* partials) {
  Part acc[kParts][R][C];
  const auto at = [partials](int part, int i, int c) { return partials + (c * kBlockRows + i) * 16 + part * kLanes; };
  KVASIR_UNROLL
  for (int part = 0; part < kParts; ++part) {
    KVASIR_UNROLL
    for (int i = 0; i < R; ++i) {
      KVASIR_UNROLL
      for (int c = 0; c < C; ++c) acc[part][i][c] = KV_SIMD(loadu_ps)(at(part, i, c));
    }
  }
  for (int64_t k = 0; k < count; k += 16) {
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
      }
      KVASIR_UNROLL
      for (int c = 0; c < C; ++c) {
        Part activations = KV_SIMD(loadu_ps)(reinterpret_cast<const float*>(x + c * stride) + k + part * kLanes);
        keep(activations);
        KVASIR_UNROLL
        for (int i = 0; i < R; ++i) {
          acc[part][i][c] = KV_SIMD(fmadd_ps)(weights[i], activations, acc[part][i][c]);
        }
      }
    }
  }
  KVASIR_UNROLL
  for (int part = 0; part < kParts; ++part) {
    KVASIR_UNROLL
    for (int i = 0; i < R; ++i) {
      KVASIR_UNROLL
      for (int c = 0; c < C; ++c) KV_SIMD(storeu_ps)(at(part, i, c), acc[part][i][c]);
    }
  }
}

// One piece of K of a block of rows with all columns of a block.
template <Dtype F, int R, bool kStream>
void multiply(const uint8_t* row, int64_t row_bytes, int32_t rows, const uint8_t* x, int64_t stride, int64_t columns,
              int64_t count, float* partials, const Ahead& ahead) {
  int64_t fetched = 0;
  for (int64_t c = 0; c < columns;) {
    const int64_t width = columns - c >= kColumns ? kColumns : columns - c >= 2 ? 2 : 1;
    for (int32_t i = 0; i + R <= rows; i += R) {
      const uint8_t* w = row + i * row_bytes;
      float* out = partials + (c * kBlockRows + i) * 16;
      if (width == kColumns)
        tile<F, R, kColumns, kStream>(w, row_bytes, x + c * stride, stride, count, out);
      else if (width == 2)
        tile<F, R, 2, kStream>(w, row_bytes, x + c * stride, stride, count, out);
      else
        tile<F, R, 1, kStream>(w, row_bytes, x + c * stride, stride, count, out);
    }
    c += width;
    fetch(ahead, c, columns, &fetched);
  }
}

// Ends the sums of four rows by the tree: j + 8, j + 4, then j + 2 and j + 1 of all four at once.
#if KVASIR_NEON
KVASIR_INLINE void sum_four(const float* partials, float* sums) {
  float32x4_t v[4];
  KVASIR_UNROLL
  for (int i = 0; i < 4; ++i, partials += 16) {
    const float32x4_t a = vaddq_f32(vld1q_f32(partials), vld1q_f32(partials + 8));
    v[i] = vaddq_f32(a, vaddq_f32(vld1q_f32(partials + 4), vld1q_f32(partials + 12)));
  }
  const float32x4_t ab = vaddq_f32(vzip1q_f32(v[0], v[1]), vzip2q_f32(v[0], v[1]));
  const float32x4_t cd = vaddq_f32(vzip1q_f32(v[2], v[3]), vzip2q_f32(v[2], v[3]));
  vst1q_f32(sums, vaddq_f32(vcombine_f32(vget_low_f32(ab), vget_low_f32(cd)),
                            vcombine_f32(vget_high_f32(ab), vget_high_f32(cd))));
}
#else
KVASIR_INLINE void sum_four(const float* partials, float* sums) {
  __m128 v[4];
  KVASIR_UNROLL
  for (int i = 0; i < 4; ++i) {
    const __m256 eight = _mm256_add_ps(_mm256_loadu_ps(partials + i * 16), _mm256_loadu_ps(partials + i * 16 + 8));
    v[i] = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  }
  const __m128 ab = _mm_add_ps(_mm_unpacklo_ps(v[0], v[1]), _mm_unpackhi_ps(v[0], v[1]));
  const __m128 cd = _mm_add_ps(_mm_unpacklo_ps(v[2], v[3]), _mm_unpackhi_ps(v[2], v[3]));
  _mm_storeu_ps(sums, _mm_add_ps(_mm_movelh_ps(ab, cd), _mm_movehl_ps(cd, ab)));
}
#endif

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

// Columns of one pass, and where their activations are.
struct Block {
  int64_t first;
  int64_t columns;
  int64_t piece;
  float* partials;
  float* activations;  // null: read where they are
};

void copy_activations(const Linear& op, const Block& block, int64_t whole) {
  for (int64_t c = 0; c < block.columns; ++c) {
    const float* x = reinterpret_cast<const float*>(op.x.data + (block.first + c) * op.x.stride);
    for (int64_t k = 0; k < whole; k += block.piece) {
      const int64_t count = k + block.piece < whole ? block.piece : whole - k;
      float* out = block.activations + k * block.columns + c * count;
      for (int64_t i = 0; i < count; i += kLanes) KV_SIMD(storeu_ps)(out + i, KV_SIMD(loadu_ps)(x + k + i));
    }
  }
}

template <Dtype F>
void multiply_rows(const Linear& op, const Linear::Segment& segment, RowRange range, const Block& block) {
  const Weight& w = segment.w;
  const int64_t whole = w.cols / 16 * 16;
  const uint8_t* x = op.x.data + block.first * op.x.stride;
  float* partials = block.partials;
  for (int32_t r = range.begin; r < range.end; r += kBlockRows) {
    const int32_t rows = r + kBlockRows < range.end ? kBlockRows : range.end - r;
    const int32_t tiled = block.columns == 1 ? rows / 4 * 4 : rows / kRows * kRows;
    const uint8_t* row = w.data + r * w.row_bytes;
    memset(partials, 0, size_t(block.columns * kBlockRows * 16) * sizeof(float));
    for (int64_t k = 0; k < whole; k += block.piece) {
      const int64_t count = k + block.piece < whole ? block.piece : whole - k;
      const uint8_t* from = row + k * block_of(F).bytes;
      const uint8_t* columns = x + k * 4;
      int64_t stride = op.x.stride;
      if (block.activations) {
        columns = reinterpret_cast<const uint8_t*>(block.activations + k * block.columns);
        stride = count * 4;
      }
      if (block.activations) {
        const bool last = k + block.piece >= whole;
        const Ahead ahead = ahead_of(w, range, last ? r + kBlockRows : r, kBlockRows, last ? 0 : k + block.piece,
                                     block.piece < whole ? block.piece : whole, w.cols);
        multiply<F, kRows, false>(from, w.row_bytes, tiled, columns, stride, block.columns, count, partials, ahead);
      } else if (block.columns == 1) {
        multiply<F, 4, true>(from, w.row_bytes, tiled, columns, stride, 1, count, partials, {});
      } else {
        multiply<F, kRows, true>(from, w.row_bytes, tiled, columns, stride, block.columns, count, partials, {});
      }
      multiply<F, 1, true>(from + tiled * w.row_bytes, w.row_bytes, rows - tiled, columns, stride, block.columns, count,
                           partials + tiled * 16, {});
    }
    if (whole < w.cols) add_tail<F>(w, row, rows, x, op.x.stride, block.columns, partials);
    for (int64_t c = 0; c < block.columns; ++c) {
      float sums[kBlockRows];
      for (int i = 0; i < kBlockRows; i += 4) sum_four(partials + (c * kBlockRows + i) * 16, sums + i);
      store_outputs(op, segment, block.first + c, r, sums, rows);
    }
  }
}

template <Dtype F>
void blocks(const Linear& op, const Linear::Segment& segment, RowRange rows, const Worker& worker) {
  const int64_t whole = segment.w.cols / 16 * 16;
  const int64_t partial_bytes = kBlockRows * 16 * 4;
  int64_t most = kActivationBytes / (whole * 4 + 1);
  most = most < kFewestColumns ? kFewestColumns : most > kMostColumns ? kMostColumns : most;
  const int64_t room = worker.scratch_bytes / (partial_bytes + whole * 4);
  // With few columns there is nothing to keep in L1, and whole rows stream better; with long ones no room to copy.
  const bool copies = op.x.rows > 4 && room >= kFewestColumns;
  const int64_t count = (op.x.rows + most - 1) / most;
  const int64_t columns = (op.x.rows + count - 1) / count;
  float* scratch = reinterpret_cast<float*>(worker.scratch);
  for (int64_t t = 0; t < op.x.rows; t += columns) {
    Block block = {};
    block.first = t;
    block.columns = t + columns < op.x.rows ? columns : op.x.rows - t;
    block.piece = op.x.rows > 4 ? kPiece : whole;
    block.partials = scratch;
    block.activations = copies ? scratch + block.columns * kBlockRows * 16 : nullptr;
    if (copies) copy_activations(op, block, whole);
    multiply_rows<F>(op, segment, rows, block);
  }
}

static_assert(kMostColumns * kBlockRows * 16 * 4 <= kScratchBytes);

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
