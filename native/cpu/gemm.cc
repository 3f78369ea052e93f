// linear with quantised weights and many tokens. For each block of columns (tokens) that stays in L2, and each panel
// of rows: unpack the panel a piece of K at a time into L1, and run the tiles of scripts/make-tiles.cjs over all
// columns of the block, carrying the float sums from piece to piece.
//
//   scratch:  panel | sums [columns][kPanelRows] f32 | column records | activations [piece of K][columns][of it]
//
// Long activations are copied (or widened to s16) so that a tile reads one run of memory instead of a page a column.

#include "native/cpu/linear_parts.h"

#if KVASIR_VECTORS

#include "native/cpu/gemm_block.h"
#include "native/cpu/linear_output.h"

namespace kvasir::cpu::KVASIR_ISA {
namespace {

// y of rows [begin, end), which lie in the panel from `lane` on.
void store_rows(const Linear& op, const Linear::Segment& segment, const GemmBlock& block, const float* sums,
                int32_t begin, int32_t end, int32_t lane) {
  for (int64_t c = 0; c < block.columns; ++c) {
    store_outputs(op, segment, block.first + c, begin, sums + c * kPanelRows + lane, end - begin);
  }
}

void multiply_rows(const Linear& op, const Linear::Segment& segment, RowRange rows, const GemmBlock& block,
                   uint8_t* panel, float* sums) {
  const Weight& w = segment.w;
  for (int32_t r = rows.begin; r < rows.end; r += kPanelRows) {
    const int32_t end = r + kPanelRows < rows.end ? r + kPanelRows : rows.end;
    const int64_t left = rows.end - end < kPanelRows ? rows.end - end : kPanelRows;
    multiply_panel(w, r, end, block, {w.data + end * w.row_bytes, left * w.row_bytes}, panel, sums);
    // A strip that reached back has its rows further on in the panel.
    const int32_t whole = r + (end - r) / kStrip * kStrip;
    store_rows(op, segment, block, sums, r, whole, 0);
    if (whole == end) continue;
    const int32_t back = whole + kStrip <= w.rows ? 0 : whole + kStrip - w.rows;
    store_rows(op, segment, block, sums, whole, end, whole - r + back);
  }
}

}  // namespace

void gemm(const Linear& op, const RowRange* rows, const Worker& worker) {
  int64_t bytes = 0;  // scratch of a column, of the greediest segment
  for (int s = 0; s < op.segments; ++s) {
    const int64_t mine = kPanelRows * 4 + gemm_column_bytes(op.segment[s].w.dtype, op.x.dim);
    if (mine > bytes) bytes = mine;
  }
  const int64_t columns = gemm_block_columns(op.x, bytes, worker.scratch_bytes - kPanelBytes - 256);

  for (int64_t first = 0; first < op.x.rows; first += columns) {
    GemmBlock block = {};
    block.first = first;
    block.columns = first + columns < op.x.rows ? columns : op.x.rows - first;
    float* sums = reinterpret_cast<float*>(worker.scratch + kPanelBytes);
    uint8_t* free = worker.scratch + kPanelBytes + block.columns * kPanelRows * 4;
    Dtype laid_out = Dtype::f32;
    for (int s = 0; s < op.segments; ++s) {
      if (rows[s].begin == rows[s].end) continue;
      const Dtype dtype = op.segment[s].w.dtype;
      if (dtype != laid_out) lay_out_block(op.x, dtype, free, block);
      laid_out = dtype;
      multiply_rows(op, op.segment[s], rows[s], block, worker.scratch, sums);
    }
  }
}

}  // namespace kvasir::cpu::KVASIR_ISA

#endif
