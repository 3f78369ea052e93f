// Sixteen groups of act8 at once: the chain from 32 values over their largest to a scale and its inverse is long, and here
// sixteen of them run beside each other. The bits are those of quantize_group.
#pragma once

#include "native/cpu/vec.h"
#include "native/ops/rows.h"

namespace kvasir::cpu::KVASIR_ISA {

struct Groups {
  alignas(64) float low[kLanes][kLanes];
  alignas(64) float high[kLanes][kLanes];
  alignas(64) float scale[kLanes];  // the largest magnitude until measure()
  alignas(64) float inverse[kLanes];

  KV_INLINE_MEMBER void put(int i, f32x16 a, f32x16 b) {
    const i32x16 size = set1(int32_t{0x7FFFFFFF});
    store(low[i], a);
    store(high[i], b);
    scale[i] = reduce_absolute_max(max(and_(bits(a), size), and_(bits(b), size)));
  }
  // Of those that were put; what the others hold does no harm.
  KV_INLINE_MEMBER void measure() {
    const f32x16 top = load(scale);
    const mask16 nothing = less(top, set1(kLeastQuantised));
    store(scale, select(nothing, set1(0.0f), div(top, set1(127.0f))));
    store(inverse, select(nothing, set1(0.0f), div(set1(127.0f), top)));
  }
  KV_INLINE_MEMBER void take(int i, int8_t* q, float* out_scale, int32_t* sum) const {
    *sum = quantize(load(low[i]), load(high[i]), set1(inverse[i]), q);
    *out_scale = scale[i];
  }
};

// Groups [first, end) of a row of y; value(group, half) gives sixteen of a group's values.
template <typename Value>
KV_INLINE void quantize_groups(const Rows& y, int64_t row, int first, int end, Value value) {
  Groups groups;
  for (int from = first; from < end; from += kLanes) {
    const int count = end - from < kLanes ? end - from : kLanes;
    for (int i = 0; i < count; ++i) groups.put(i, value(from + i, 0), value(from + i, 1));
    groups.measure();
    for (int i = 0; i < count; ++i) {
      const int g = from + i;
      groups.take(i, y.q(row) + g * kGroup, y.scale(row) + g, y.sum(row) + g);
    }
  }
}

}  // namespace kvasir::cpu::KVASIR_ISA
