// The parts of `linear`: each computes rows [begin, end) of one weight for all tokens, in the order that
// native/ops/linear.h fixes, so that whichever part runs the result has the same bits.
#pragma once

#include "native/base/worker.h"
#include "native/ops/linear.h"

namespace kvasir::cpu::KVASIR_ISA {

struct RowRange {
  int32_t begin;
  int32_t end;
};

// Any format, any shape; plain scalar code.
void linear_scalar(const Linear& op, const Linear::Segment& segment, RowRange rows);

// f32, f16 and bf16 weights.
void linear_float(const Linear& op, const Linear::Segment& segment, RowRange rows, const Worker& worker);

// Quantised weights, few tokens: reads the file's layout and unpacks in registers. The segment has at least kStrip
// rows.
void gemv(const Linear& op, const Linear::Segment& segment, RowRange rows);

// One strip of it: sums[c][kStrip], c < count, of rows [first, first + kStrip) times tokens t + c, rows of sums `stride`
// apart. At most kGemvTokens at once. `next` is the strip that is read next.
constexpr int kGemvTokens = 4;
void gemv_strip(const Rows& x, const Weight& w, int32_t first, const uint8_t* next, int64_t t, int64_t count,
                float* sums, int64_t stride);

// Quantised weights, many tokens: unpacks panels of rows into cache and multiplies them with tiles of columns. Takes
// this thread's rows of all segments (an empty range for a segment without any), each of at least kStrip rows.
void gemm(const Linear& op, const RowRange* rows, const Worker& worker);

// Sets that have the vector parts; the baseline has linear_scalar alone.
#if defined(__AVX2__) || KVASIR_NEON
#define KVASIR_VECTORS 1
#endif

constexpr int32_t kStrip = 16;          // rows that the vector kernels take at a time
constexpr int64_t kMostCols = 1 << 18;  // beyond it a few columns would not fit the scratch memory of gemm
constexpr int64_t kMostGemvTokens = 8;

// Tokens up to which unpacking in registers is cheaper than a panel (measured: bench/kernels/linear.cc).
static constexpr int64_t gemv_tokens(Dtype dtype) { return dtype == Dtype::q8_0 ? kMostGemvTokens : 4; }

// What a format needs besides d: its values are d·(u − zero) or, with a minimum, d·u + m.
struct Format {
  int32_t zero;
  bool minimum;
  bool halves;  // two groups of 16 in each 32, as in q6_k
};

// VNNI multiplies unsigned weights alone; the others take the signed bytes of q8_0 as they are.
#if KVASIR_VNNI
constexpr int32_t kBytesZero = 128;
#else
constexpr int32_t kBytesZero = 0;
#endif

static constexpr Format format_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::q4_0:
      return {8, false, false};
    case Dtype::q5_0:
      return {16, false, false};
    case Dtype::q8_0:
      return {kBytesZero, false, false};
    case Dtype::q6_k:
      return {32, false, true};
    default:
      return {0, true, false};
  }
}

}  // namespace kvasir::cpu::KVASIR_ISA
