// linear with quantised weights and few tokens: bound by the memory that the weights stream from. Blocks are read as
// they lie in the file and unpacked in registers once for up to four tokens; integer sums of kRows rows are brought
// into one vector, so that from there on the floats are those of the GEMM.

#include "native/cpu/linear_parts.h"

#if KVASIR_VECTORS

#include "native/cpu/linear_output.h"
#include "native/cpu/panel_formats.h"

namespace kvasir::cpu::KVASIR_ISA {
namespace {

struct Column {
  const int8_t* q;
  const float* scale;
  const int32_t* sum;
};

// Products of 32 values of the four vectors of rows with those of one column, summed to one int32 a row: both halves in
// sums[0] and without the zero point, or, for a format with halves, each half in its own sum and with it.
template <Dtype F>
KVASIR_INLINE void dot(const Bytes (*w)[4], const int8_t* q, Bytes* sums) {
  constexpr Format format = format_of(F);
  const Bytes x[2] = {splat16(q), splat16(q + 16)};
  Bytes v[2][4];
#if KVASIR_VNNI || KVASIR_NEON
  Bytes start[2] = {KV_SIMD(set1_epi32)(0), KV_SIMD(set1_epi32)(0)};
  if constexpr (format.halves) {
    const Bytes zeros = KV_SIMD(set1_epi8)(format.zero);
    KVASIR_UNROLL
    for (int h = 0; h < 2; ++h) start[h] = KV_SIMD(sub_epi32)(start[h], dot_bytes(start[h], zeros, x[h]));
  }
  KVASIR_UNROLL
  for (int j = 0; j < 4; ++j) {
    v[0][j] = dot_bytes(start[0], w[0][j], x[0]);
    v[1][j] = dot_bytes(format.halves ? start[1] : v[0][j], w[1][j], x[1]);
  }
#else
  const Bytes ones = _mm256_set1_epi16(1);
  Bytes pairs[2];
  KVASIR_UNROLL
  for (int j = 0; j < 4; ++j) {
    KVASIR_UNROLL
    for (int h = 0; h < 2; ++h) {
      if constexpr (F == Dtype::q8_0) {
        pairs[h] = _mm256_maddubs_epi16(_mm256_abs_epi8(w[h][j]), _mm256_sign_epi8(x[h], w[h][j]));
      } else {
        pairs[h] = _mm256_maddubs_epi16(w[h][j], x[h]);
      }
      if constexpr (format.halves) {
        pairs[h] = _mm256_sub_epi16(pairs[h], _mm256_maddubs_epi16(_mm256_set1_epi8(format.zero), x[h]));
      }
    }
    if constexpr (F == Dtype::q8_0 || format.halves) {
      v[0][j] = _mm256_madd_epi16(pairs[0], ones);
      v[1][j] = _mm256_madd_epi16(pairs[1], ones);
      if constexpr (!format.halves) v[1][j] = _mm256_add_epi32(v[0][j], v[1][j]);
    } else {
      v[1][j] = _mm256_madd_epi16(_mm256_add_epi16(pairs[0], pairs[1]), ones);
    }
  }
#endif
  if constexpr (format.halves) {
    sums[0] = sum_lanes(v[0][0], v[0][1], v[0][2], v[0][3]);
    sums[1] = sum_lanes(v[1][0], v[1][1], v[1][2], v[1][3]);
  } else {
    sums[0] = sum_lanes(v[1][0], v[1][1], v[1][2], v[1][3]);
  }
}

// acc[c] over the whole of K for kRows rows from `row` on. `ahead` is what is read next: prefetched as we go.
template <Dtype F, int C>
KVASIR_INLINE void dot_rows(const uint8_t* row, int64_t stride, int64_t blocks, const Column* columns,
                            const uint8_t* ahead, Floats* acc) {
  constexpr Format format = format_of(F);
  constexpr int kBlock = BlockOf<F>::kBytes;
  constexpr int kGroups = BlockOf<F>::kGroups;
  const int32_t zero = format.zero;
  const uint8_t* fetched = ahead;
  for (int64_t b = 0; b < blocks; ++b, row += kBlock) {
    for (ahead += kRows * kBlock; fetched < ahead; fetched += 64) {
      __builtin_prefetch(fetched, 0, 2);
    }
    Floats d[kGroups], e[kGroups];
    unpack_scales<F>(row, stride, d, e);
    Unpacked<F> w;
    unpack_block<F>(row, stride, w);
    for (int g = 0; g < kGroups; ++g) {
      const int64_t at = b * kGroups + g;
      KVASIR_UNROLL
      for (int c = 0; c < C; ++c) {
        const int8_t* q = columns[c].q + at * kGroup;
        const float x_scale = columns[c].scale[at];
        const int32_t x_sum = columns[c].sum[at];
        const Floats scale = KV_SIMD(set1_ps)(x_scale);
        Bytes sums[2];
        dot<F>(w[g], q, sums);
        if constexpr (format.halves) {
          acc[c] = KV_SIMD(fmadd_ps)(to_floats(sums[0]), KV_SIMD(mul_ps)(d[g], scale), acc[c]);
          acc[c] = KV_SIMD(fmadd_ps)(to_floats(sums[1]), KV_SIMD(mul_ps)(e[g], scale), acc[c]);
        } else {
          const Bytes sum = zero ? KV_SIMD(sub_epi32)(sums[0], KV_SIMD(set1_epi32)(zero * x_sum)) : sums[0];
          acc[c] = KV_SIMD(fmadd_ps)(to_floats(sum), KV_SIMD(mul_ps)(d[g], scale), acc[c]);
          if constexpr (format.minimum) {
            acc[c] = KV_SIMD(fmadd_ps)(e[g], KV_SIMD(set1_ps)(x_scale * float(x_sum)), acc[c]);
          }
        }
      }
    }
  }
}

// A strip times tokens t … t + C − 1.
template <Dtype F, int C>
void strip(const Rows& rows, const Weight& w, int32_t first, const uint8_t* next, int64_t t, float* sums,
           int64_t stride) {
  Column columns[C];
  KVASIR_UNROLL
  for (int c = 0; c < C; ++c) {
    const uint8_t* x = rows.data + (t + c) * rows.stride;
    columns[c] = {reinterpret_cast<const int8_t*>(x), reinterpret_cast<const float*>(x + w.cols),
                  reinterpret_cast<const int32_t*>(x + w.cols + w.cols / 8)};
  }
  for (int32_t from = 0; from < kStrip; from += kRows) {
    Floats acc[C];
    KVASIR_UNROLL
    for (int c = 0; c < C; ++c) acc[c] = KV_SIMD(setzero_ps)();
    dot_rows<F, C>(w.data + (first + from) * w.row_bytes, w.row_bytes, w.cols / (BlockOf<F>::kGroups * kGroup), columns,
                   next + from * w.row_bytes, acc);
    KVASIR_UNROLL
    for (int c = 0; c < C; ++c) KV_SIMD(storeu_ps)(sums + c * stride + from, acc[c]);
  }
}

// The widest strip that `count` tokens fill.
template <Dtype F, int C = kGemvTokens>
KVASIR_INLINE void strip_of(const Rows& x, const Weight& w, int32_t first, const uint8_t* next, int64_t t,
                            int64_t count, float* sums, int64_t stride) {
  if (count >= C) return strip<F, C>(x, w, first, next, t, sums, stride);
  if constexpr (C > 1) strip_of<F, C - 1>(x, w, first, next, t, count, sums, stride);
}

}  // namespace

void gemv_strip(const Rows& x, const Weight& w, int32_t first, const uint8_t* next, int64_t t, int64_t count,
                float* sums, int64_t stride) {
  switch (w.dtype) {
    case Dtype::q4_0:
      return strip_of<Dtype::q4_0>(x, w, first, next, t, count, sums, stride);
    case Dtype::q4_1:
      return strip_of<Dtype::q4_1>(x, w, first, next, t, count, sums, stride);
    case Dtype::q5_0:
      return strip_of<Dtype::q5_0>(x, w, first, next, t, count, sums, stride);
    case Dtype::q5_1:
      return strip_of<Dtype::q5_1>(x, w, first, next, t, count, sums, stride);
    case Dtype::q8_0:
      return strip_of<Dtype::q8_0>(x, w, first, next, t, count, sums, stride);
    case Dtype::q4_k:
      return strip_of<Dtype::q4_k>(x, w, first, next, t, count, sums, stride);
    case Dtype::q5_k:
      return strip_of<Dtype::q5_k>(x, w, first, next, t, count, sums, stride);
    default:
      return strip_of<Dtype::q6_k>(x, w, first, next, t, count, sums, stride);
  }
}

void gemv(const Linear& op, const Linear::Segment& segment, RowRange rows) {
  const Weight& w = segment.w;
  for (int32_t r = rows.begin; r < rows.end; r += kStrip) {
    // The last strip reaches back over rows that are already done rather than past the matrix.
    const int32_t first = r + kStrip <= w.rows ? r : w.rows - kStrip;
    const int32_t end = r + kStrip < rows.end ? r + kStrip : rows.end;
    for (int64_t t = 0; t < op.x.rows; t += kGemvTokens) {
      const int64_t count = op.x.rows - t < kGemvTokens ? op.x.rows - t : kGemvTokens;
      float sums[kGemvTokens][kStrip];
      gemv_strip(op.x, w, first, w.data + (first + kStrip) * w.row_bytes, t, count, sums[0], kStrip);
      for (int64_t c = 0; c < count; ++c) store_outputs(op, segment, t + c, r, sums[c] + (r - first), end - r);
    }
  }
}

}  // namespace kvasir::cpu::KVASIR_ISA

#endif
