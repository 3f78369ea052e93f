// Operations that treat every row alone. Where `y` is act8 the result is quantised as it is written.
#pragma once

#include "native/ops/rows.h"

namespace kvasir {

// embed: y[t] = table[token[t]]. A token < 0 names a slot: the id last sampled in slot −1 − token.
struct Embed {
  Weight table;  // [vocab, dim], any format
  const int32_t* tokens = nullptr;
  const int32_t* last_sampled = nullptr;  // [slots]
  Rows y;                                 // [T, dim] f32
};

// rms_norm: y[i] = x[r] / sqrt(mean(x[r]²) + eps) · w, with r = index ? index[i] : i.
struct RmsNorm {
  Rows x;  // f32
  const float* w = nullptr;
  const int32_t* index = nullptr;
  float eps = 0;
  Rows y;  // f32 or act8
};

// quantize: y = x in act8.
struct Quantize {
  Rows x;
  Rows y;
};

// swiglu: y = silu(gate) · up, where x holds gate in its first half and up in its second.
struct SwiGlu {
  Rows x;  // [T, 2·F] f32
  Rows y;  // [T, F] f32 or act8
};

// add: y += x.
struct Add {
  Rows x;
  Rows y;
};

}  // namespace kvasir
