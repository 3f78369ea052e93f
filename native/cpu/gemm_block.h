// The parts of a GEMM with quantised weights that its ends share: a block of columns (tokens) laid out in scratch memory,
// and the product of a panel of rows with it. For linear (gemm.cc) and gated_linear (gated_linear.cc).
#pragma once

#include "native/cpu/linear_parts.h"
#include "native/cpu/panel.h"

namespace kvasir::cpu::KVASIR_ISA {

constexpr int64_t kPanelBytes = (kPanelRows == 32 ? 24 : 16) << 10;  // half an L1

struct GemmBlock {
  int64_t first;    // token
  int64_t columns;  // tokens
  int64_t piece;    // groups
  int32_t* records;
  const uint8_t* activations;  // copied, [piece of K][columns][of it], …
  int64_t stride;              // … or of a row of those that lie where they were; 0 if copied
};

// Scratch bytes of a column, next to its sums.
int64_t gemm_column_bytes(Dtype dtype, int64_t dim);

// Columns of a block: as many as stay in cache and fit `room` bytes of scratch, in blocks of equal size and whole tiles.
int64_t gemm_block_columns(const Rows& x, int64_t column_bytes, int64_t room);

// Writes what the tiles need of the block's columns to `free`, a multiple of 64. The wide and the long are copied.
void lay_out_block(const Rows& x, Dtype dtype, uint8_t* free, GemmBlock& block);

// sums[column][kPanelRows] = rows [row, row + kPanelRows) of w, as far as they go up to `end`, times the block. Strips lie in
// whole kStrips: the last reaches back over rows before it rather than past the matrix. `next` is what is multiplied next.
struct NextWeights {
  const uint8_t* data;
  int64_t bytes;
};
void multiply_panel(const Weight& w, int32_t row, int32_t end, const GemmBlock& block, NextWeights next, uint8_t* panel,
                    float* sums);

}  // namespace kvasir::cpu::KVASIR_ISA
