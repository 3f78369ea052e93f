// linear with f32, f16 and bf16 weights: register tiles of dot products, each with the 16 partial sums that
// native/ops/linear.h asks for (one vector in AVX-512, two parts in AVX2). Nothing is packed. A piece of K of
// kBlockRows rows stays in L1 while all columns of a block, which stays in L2, pass over it.
//
//   scratch:  sums [columns][kBlockRows] f32 | partials [columns][kBlockRows][16] f32, between pieces of K |
//             activations [piece of K][columns][of it] f32
//
// The activations are copied because rows whose stride is a power of two would share few sets of the cache.

#include "native/cpu/linear_parts.h"

#if KVASIR_VECTORS

#include "native/cpu/linear_ahead.h"
#include "native/cpu/linear_float_tile.h"
#include "native/cpu/linear_half.h"
#include "native/cpu/linear_output.h"

namespace kvasir::cpu::KVASIR_ISA {
namespace {

constexpr int64_t kActivationBytes = 384 << 10;  // of a block of columns
constexpr int64_t kFewestColumns = 48;           // fewer and reading the weights again would weigh more
constexpr int64_t kMostColumns = 240;

// Where the sums of a block will go, a line a column: asked for while they are computed, for all of them come from afar.
struct Outputs {
  const uint8_t* data;
  int64_t stride;
};

// One piece of K of a block of rows with all columns of a block.
template <Dtype F, int R, bool kStream>
void multiply(const uint8_t* row, int64_t row_bytes, int32_t rows, const uint8_t* x, int64_t stride, int64_t columns,
              Piece piece, float* partials, float* sums, Outputs y, const Ahead& ahead) {
  int64_t fetched = 0;
  for (int64_t c = 0; c < columns;) {
    const int64_t width = columns - c >= kColumns ? kColumns : columns - c >= 2 ? 2 : 1;
    if (y.data)
      for (int64_t i = 0; i < width; ++i) __builtin_prefetch(y.data + (c + i) * y.stride, 1, 3);
    for (int32_t i = 0; i + R <= rows; i += R) {
      const uint8_t* w = row + i * row_bytes;
      float* out = partials + (c * kBlockRows + i) * 16;
      float* sum = sums + c * kBlockRows + i;
      if (width == kColumns)
        tile<F, R, kColumns, kStream>(w, row_bytes, x + c * stride, stride, piece, out, sum);
      else if (width == 2)
        tile<F, R, 2, kStream>(w, row_bytes, x + c * stride, stride, piece, out, sum);
      else
        tile<F, R, 1, kStream>(w, row_bytes, x + c * stride, stride, piece, out, sum);
    }
    c += width;
    fetch(ahead, c, columns, &fetched);
  }
}

// The values of K past the last multiple of 16, for partials 0…, and the end of the sums.
template <Dtype F>
void add_tail(const Weight& w, const uint8_t* row, int32_t rows, const uint8_t* x, int64_t stride, int64_t columns,
              float* partials, float* sums) {
  const int64_t whole = w.cols / 16 * 16;
  for (int64_t c = 0; c < columns; ++c) {
    const float* xc = reinterpret_cast<const float*>(x + c * stride);
    for (int32_t i = 0; i < rows; ++i) {
      float* partial = partials + (c * kBlockRows + i) * 16;
      for (int64_t k = whole; k < w.cols; ++k) {
        partial[k - whole] = __builtin_fmaf(load_float(F, row + i * w.row_bytes, k), xc[k], partial[k - whole]);
      }
      sums[c * kBlockRows + i] = sum_partials(partial);
    }
  }
}

// Columns of one pass, and where their activations are.
struct Block {
  int64_t first;
  int64_t columns;
  int64_t piece;
  float* sums;
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
  float *partials = block.partials, *sums = block.sums;
  for (int32_t r = range.begin; r < range.end; r += kBlockRows) {
    const int32_t rows = r + kBlockRows < range.end ? kBlockRows : range.end - r;
    const int32_t tiled = block.columns == 1 ? rows / 4 * 4 : rows / kRows * kRows;
    const uint8_t* row = w.data + r * w.row_bytes;
    const Outputs y = {op.y.data + block.first * op.y.stride + (segment.column + r) * 4, op.y.stride};
    if (whole == 0) memset(partials, 0, size_t(block.columns * kBlockRows * 16) * sizeof(float));
    for (int64_t k = 0; k < whole; k += block.piece) {
      const bool last = k + block.piece >= whole;
      const int64_t count = last ? whole - k : block.piece;
      const Piece piece = {count, k == 0, last && whole == w.cols};
      const uint8_t* from = row + k * block_of(F).bytes;
      const uint8_t* columns = x + k * 4;
      int64_t stride = op.x.stride;
      if (block.activations) {
        columns = reinterpret_cast<const uint8_t*>(block.activations + k * block.columns);
        stride = count * 4;
      }
      if (block.activations) {
        const Ahead ahead = ahead_of(w, range, last ? r + kBlockRows : r, kBlockRows, last ? 0 : k + block.piece,
                                     block.piece < whole ? block.piece : whole, w.cols);
        multiply<F, kRows, false>(from, w.row_bytes, tiled, columns, stride, block.columns, piece, partials, sums,
                                  last ? y : Outputs{}, ahead);
      } else if (block.columns == 1) {
        multiply<F, 4, true>(from, w.row_bytes, tiled, columns, stride, 1, piece, partials, sums, {}, {});
      } else {
        multiply<F, kRows, true>(from, w.row_bytes, tiled, columns, stride, block.columns, piece, partials, sums, {},
                                 {});
      }
      multiply<F, 1, true>(from + tiled * w.row_bytes, w.row_bytes, rows - tiled, columns, stride, block.columns, piece,
                           partials + tiled * 16, sums + tiled, {}, {});
    }
    if (whole < w.cols) add_tail<F>(w, row, rows, x, op.x.stride, block.columns, partials, sums);
    for (int64_t c = 0; c < block.columns; ++c) {
      store_outputs(op, segment, block.first + c, r, sums + c * kBlockRows, rows);
    }
  }
}

template <Dtype F>
void blocks(const Linear& op, const Linear::Segment& segment, RowRange rows, const Worker& worker) {
  const int64_t whole = segment.w.cols / 16 * 16;
  const int64_t partial_bytes = kBlockRows * 17 * 4;
  int64_t most = kActivationBytes / (whole * 4 + 1);
  most = most < kFewestColumns ? kFewestColumns : most > kMostColumns ? kMostColumns : most;
  const int64_t room = (worker.scratch_bytes - 64) / (partial_bytes + whole * 4);
  // With few columns there is nothing to keep in L1, and whole rows stream better; with long ones no room to copy.
  const bool copies = op.x.rows > 4 && room >= kFewestColumns;
  const int64_t count = (op.x.rows + most - 1) / most;
  const int64_t columns = (op.x.rows + count - 1) / count;
  const int64_t pieces = whole > kPiece ? (whole + kPiece - 1) / kPiece : 1;
  const int64_t piece = (whole / 16 + pieces - 1) / pieces * 16;  // all of nearly one length
  float* scratch = reinterpret_cast<float*>(worker.scratch);
  for (int64_t t = 0; t < op.x.rows; t += columns) {
    Block block = {};
    block.first = t;
    block.columns = t + columns < op.x.rows ? columns : op.x.rows - t;
    block.piece = op.x.rows > 4 ? piece : whole;
    block.sums = scratch;
    block.partials = scratch + (block.columns * kBlockRows + 15) / 16 * 16;
    block.activations = copies ? block.partials + block.columns * kBlockRows * 16 : nullptr;
    if (copies) copy_activations(op, block, whole);
    multiply_rows<F>(op, segment, rows, block);
  }
}

static_assert((kMostColumns + 1) * kBlockRows * 17 * 4 <= kScratchBytes);

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
