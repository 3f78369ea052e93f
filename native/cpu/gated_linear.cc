// gated_linear: gate and up of 32 columns of y at a time, whose silu(gate) · up is written as it comes, so that neither
// reaches memory. Where a weight has no vector kernel that multiplies 32 rows of it, linear and swiglu do the work.

#include "native/cpu/kernels.h"
#include "native/cpu/linear_parts.h"

#if KVASIR_VECTORS
#include "native/cpu/gemm_block.h"
#include "native/cpu/quantize_groups.h"
#include "native/cpu/silu.h"
#endif

namespace kvasir::cpu::KVASIR_ISA {
namespace {

#if KVASIR_VECTORS

constexpr int32_t kUnit = kGroup;                // columns of y that come at once
constexpr int32_t kPanels = kUnit / kPanelRows;  // of a weight in a unit

bool fits(const Linear& op) {
  const Weight &gate = op.segment[0].w, &up = op.segment[1].w;
  return is_quantised(gate.dtype) && gate.dtype == up.dtype && gate.rows % kUnit == 0 && gate.cols <= kMostCols;
}

// Lanes [lane, lane + 16) of a row of sums, plus the bias of the row of the weight that the first lane is.
KV_INLINE f32x16 sums_of(const float* sums, const float* bias, int32_t row) {
  const f32x16 v = load(sums);
  return bias ? add(v, load(bias + row)) : v;
}

// y[token, row …] of a unit for tokens first … first + count − 1: `at(c, segment, lane)` points to sums of token first + c.
template <typename At>
KV_INLINE void write_unit(const GatedLinear& op, int64_t first, int64_t count, int32_t row, At at) {
  const float *gate = op.both.segment[0].bias, *up = op.both.segment[1].bias;
  const auto value = [&](int64_t c, int lane) KV_LAMBDA {
    return gated(sums_of(at(c, 0, lane), gate, row + lane), sums_of(at(c, 1, lane), up, row + lane));
  };
  const Rows& y = op.y;
  if (y.dtype != Dtype::act8) {
    for (int64_t c = 0; c < count; ++c) {
      store(y.f32(first + c) + row, value(c, 0));
      store(y.f32(first + c) + row + kLanes, value(c, kLanes));
    }
    return;
  }
  Groups groups;
  for (int64_t from = 0; from < count; from += kLanes) {
    const int some = static_cast<int>(count - from < kLanes ? count - from : kLanes);
    for (int i = 0; i < some; ++i) groups.put(i, value(from + i, 0), value(from + i, kLanes));
    groups.measure();
    for (int i = 0; i < some; ++i) {
      const int64_t token = first + from + i;
      groups.take(i, y.q(token) + row, y.scale(token) + row / kGroup, y.sum(token) + row / kGroup);
    }
  }
}

// Gate of kRun units, then up of them: memory likes long runs.
void few_tokens(const GatedLinear& op, Range units, const Worker& worker) {
  constexpr int32_t kRun = 16, kColumns = kRun * kUnit;
  static_assert(kMostGemvTokens * 2 * kColumns * sizeof(float) <= kScratchBytes);
  const Linear& both = op.both;
  float* sums = reinterpret_cast<float*>(worker.scratch);  // [token][gate, up][kColumns]
  const int32_t last = static_cast<int32_t>(units.end) * kUnit;
  for (int32_t row = static_cast<int32_t>(units.begin) * kUnit; row < last; row += kColumns) {
    const int32_t end = row + kColumns < last ? row + kColumns : last;
    for (int s = 0; s < 2; ++s) {
      const Weight &w = both.segment[s].w, &other = both.segment[1 - s].w;
      const uint8_t* behind = other.data + (s == 0 ? row : end) * other.row_bytes;
      for (int32_t strip = row; strip < end; strip += kStrip) {
        const uint8_t* next = strip + kStrip < end ? w.data + (strip + kStrip) * w.row_bytes : behind;
        for (int64_t t = 0; t < both.x.rows; t += kGemvTokens) {
          const int64_t count = both.x.rows - t < kGemvTokens ? both.x.rows - t : kGemvTokens;
          gemv_strip(both.x, w, strip, next, t, count, sums + (t * 2 + s) * kColumns + strip - row, 2 * kColumns);
        }
      }
    }
    for (int32_t r = row; r < end; r += kUnit) {
      write_unit(op, 0, both.x.rows, r,
                 [&](int64_t t, int s, int lane) KV_LAMBDA { return sums + (t * 2 + s) * kColumns + r - row + lane; });
    }
  }
}

// scratch: panel | sums [2 · kPanels][columns][kPanelRows] f32 | what lay_out_block writes
void many_tokens(const GatedLinear& op, Range units, const Worker& worker) {
  const Linear& both = op.both;
  const Dtype dtype = both.segment[0].w.dtype;
  const int64_t column_bytes = 2 * kUnit * 4 + gemm_column_bytes(dtype, both.x.dim);
  const int64_t columns = gemm_block_columns(both.x, column_bytes, worker.scratch_bytes - kPanelBytes - 256);
  float* sums = reinterpret_cast<float*>(worker.scratch + kPanelBytes);
  for (int64_t first = 0; first < both.x.rows; first += columns) {
    GemmBlock block = {};
    block.first = first;
    block.columns = first + columns < both.x.rows ? columns : both.x.rows - first;
    const int64_t panel_sums = block.columns * kPanelRows;
    lay_out_block(both.x, dtype, worker.scratch + kPanelBytes + block.columns * 2 * kUnit * 4, block);
    for (int64_t unit = units.begin; unit < units.end; ++unit) {
      const int32_t row = static_cast<int32_t>(unit) * kUnit;
      for (int panel = 0; panel < 2 * kPanels; ++panel) {
        const auto rows_at = [&](int p) { return row + p / 2 * kPanelRows; };  // gate and up in turns
        const Weight &w = both.segment[panel % 2].w, &next = both.segment[(panel + 1) % 2].w;
        const int64_t ahead = unit + 1 < units.end || panel + 1 < 2 * kPanels ? kPanelRows * next.row_bytes : 0;
        multiply_panel(w, rows_at(panel), rows_at(panel) + kPanelRows, block,
                       {next.data + rows_at(panel + 1) * next.row_bytes, ahead}, worker.scratch,
                       sums + panel * panel_sums);
      }
      write_unit(op, first, block.columns, row, [&](int64_t c, int s, int lane) KV_LAMBDA {
        return sums + (lane / kPanelRows * 2 + s) * panel_sums + c * kPanelRows + lane % kPanelRows;
      });
    }
  }
}

bool fused(const GatedLinear& op, const Worker& worker) {
  if (!fits(op.both)) return false;
  const Weight& w = op.both.segment[0].w;
  const Range units = worker.share(w.rows / kUnit);
  if (op.both.x.rows <= gemv_tokens(w.dtype))
    few_tokens(op, units, worker);
  else if (units.begin < units.end)
    many_tokens(op, units, worker);
  return true;
}

#else

bool fused(const GatedLinear&, const Worker&) { return false; }

#endif

}  // namespace

void gated_linear(const GatedLinear& op, const Worker& worker) {
  if (fused(op, worker)) return;
  linear(op.both, worker);
  worker.sync();
  swiglu({.x = op.both.y, .y = op.y}, worker);
}

}  // namespace kvasir::cpu::KVASIR_ISA
