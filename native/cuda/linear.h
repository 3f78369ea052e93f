// What the kernels of linear share: which panel a warp has, and the end of an output.
#pragma once

#include "native/cuda/panel.h"
#include "native/ops/linear.h"

namespace kvasir::cuda {

// A panel of one of the op's segments.
struct PanelPlace {
  int segment = -1;  // −1: there is no such panel
  int panel = 0;
  bool missing = false;
};

// Panel `index` among those of the segments in format F, counted through.
__device__ __forceinline__ PanelPlace find_panel(const Linear& op, Dtype format, int index) {
  for (int s = 0; s < op.segments; ++s) {
    if (op.segment[s].w.dtype != format) continue;
    const int panels = (op.segment[s].w.rows + kPanelRows - 1) / kPanelRows;
    if (index < panels) return {s, index};
    index -= panels;
  }
  return {};
}

// + bias, then + the old y.
__device__ __forceinline__ void store_output(const Linear& op, const Linear::Segment& segment, int token, int row,
                                             float sum) {
  if (token >= op.x.rows || row >= segment.w.rows) return;
  float& y = op.y.f32(token)[segment.column + row];
  if (segment.bias) sum += segment.bias[row];
  if (op.accumulate) sum += y;
  y = sum;
}

}  // namespace kvasir::cuda
