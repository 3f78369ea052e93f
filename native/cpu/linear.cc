// linear: shares the rows of all segments among the threads and picks the part that suits format and batch.

#include "native/cpu/kernels.h"
#include "native/cpu/linear_parts.h"
#include "native/cpu/panel.h"

namespace kvasir::cpu::KVASIR_ISA {
namespace {

int64_t units_of(const Weight& w, int64_t grain) { return (w.rows + grain - 1) / grain; }

int32_t row_of(const Weight& w, int64_t unit, int64_t grain) {
  const int64_t row = unit * grain;
  return int32_t(row < 0 ? 0 : row < w.rows ? row : w.rows);
}

#if KVASIR_VECTORS

void run(const Linear& op, RowRange* rows, const Worker& worker) {
  bool panels = false;
  for (int s = 0; s < op.segments; ++s) {
    const Linear::Segment& segment = op.segment[s];
    if (rows[s].begin == rows[s].end) continue;
    if (!is_quantised(segment.w.dtype)) {
      linear_float(op, segment, rows[s], worker);
    } else if (segment.w.rows < kStrip) {
      linear_scalar(op, segment, rows[s]);
    } else if (op.x.rows <= gemv_tokens(segment.w.dtype) || segment.w.cols > kMostCols) {
      gemv(op, segment, rows[s]);
    } else {
      panels = true;
      continue;
    }
    rows[s].end = rows[s].begin;
  }
  if (panels) gemm(op, rows, worker);
}

#else

void run(const Linear& op, RowRange* rows, const Worker&) {
  for (int s = 0; s < op.segments; ++s) linear_scalar(op, op.segment[s], rows[s]);
}

#endif

}  // namespace

void linear(const Linear& op, const Worker& worker) {
  if (op.x.rows == 0) return;  // no row reaches the vocabulary
  // Whole panels where there are many tokens, else strips; all segments are one row of units.
  const int64_t grain = op.x.rows > kMostGemvTokens ? kPanelRows : kStrip;
  int64_t units = 0;
  for (int s = 0; s < op.segments; ++s) units += units_of(op.segment[s].w, grain);
  const int64_t begin = units * worker.index / worker.count;
  const int64_t end = units * (worker.index + 1) / worker.count;

  RowRange rows[kMaxSegments] = {};
  int64_t first = 0;
  for (int s = 0; s < op.segments; ++s) {
    const Weight& w = op.segment[s].w;
    rows[s] = {row_of(w, begin - first, grain), row_of(w, end - first, grain)};
    first += units_of(w, grain);
  }
  run(op, rows, worker);
}

}  // namespace kvasir::cpu::KVASIR_ISA
