// linear with 16-bit weights by wgmma, against the processor's on rows that are rounded before, to what sums in another order
// allow; and to the bit against itself: by both tiles, and each row alone. One row is beyond what f16 holds.
#include <climits>
#include <cmath>

#include "native/base/check.h"
#include "native/cuda/pack.h"
#include "native/formats/half.h"
#include "test/simt/harness.h"

namespace kvasir::simt_test {
namespace {

struct Shape {
  int tokens, outputs, cols;
};

// A row as the format holds it: for f16 divided by a power of two that brings its largest value below 2¹⁵.
void round_row(Dtype dtype, float* row, int cols) {
  float top = 0;
  for (int i = 0; i < cols; ++i) top = std::max(top, std::fabs(row[i]));
  const int by = dtype == Dtype::f16 && top >= 32768 ? std::ilogb(top) - 14 : 0;
  for (int i = 0; i < cols; ++i)
    row[i] = dtype == Dtype::f16 ? std::ldexp(f16_to_f32(f32_to_f16(std::ldexp(row[i], -by))), by)
                                 : bf16_to_f32(f32_to_bf16(row[i]));
}

struct Linears {
  Card card;
  Random random;
  Dtype dtype;
  Shape shape;
  Buffer x, rounded_x;
  std::vector<PackedWeight> weights;
  std::vector<float> bias;
  int columns = 5;

  Linears(Dtype dtype, const Shape& shape, uint64_t seed)
      : card(seed),
        random(static_cast<unsigned>(seed + shape.cols)),
        dtype(dtype),
        shape(shape),
        x(test::random_activations(Dtype::f32, shape.tokens, shape.cols, random)),
        rounded_x(x.size),
        bias(shape.outputs) {
    weights.emplace_back(dtype, shape.outputs, shape.cols, random);
    if (shape.outputs % 64 != 0) weights.emplace_back(dtype, 21, shape.cols, random);
    for (float& value : bias) value = static_cast<float>(random() % 100) / 64;
    const Rows rows = rows_in(x, Dtype::f32, shape.tokens, shape.cols), rounded = same_rows();
    for (int i = 0; i < shape.cols && shape.tokens > 2; ++i) rows.f32(2)[i] *= 3e5f;
    std::memcpy(rounded_x.get(), x.get(), x.size);
    for (int t = 0; t < shape.tokens; ++t) round_row(dtype, rounded.f32(t), shape.cols);
    for (const PackedWeight& weight : weights) columns += weight.rows;
    card.facts.wgmma_half = true;
    card.has(x, 1, "x");
    card.has(bias, "bias");
    for (const PackedWeight& weight : weights) card.has(weight.packed, 1, "w");
  }
  Rows same_rows() const { return rows_in(rounded_x, Dtype::f32, shape.tokens, shape.cols); }
  Buffer result() const {
    Buffer y = rows_buffer(Dtype::f32, shape.tokens, columns);
    for (size_t i = 0; i < y.size / 4; ++i) reinterpret_cast<float*>(y.get())[i] = static_cast<float>(i % 97) / 8;
    return y;
  }
  Linear op(const Buffer& y, bool on_card) const {
    Linear op{.x = rows_in(on_card ? x : rounded_x, Dtype::f32, shape.tokens, shape.cols),
              .segment = {},
              .segments = 0,
              .y = rows_in(y, Dtype::f32, shape.tokens, columns),
              .accumulate = shape.outputs % 2 == 0};
    int column = 3;
    for (const PackedWeight& weight : weights) {
      op.segment[op.segments] = {on_card ? weight.device() : weight.host(), op.segments == 0 ? bias.data() : nullptr,
                                 column};
      ++op.segments;
      column += weight.rows;
    }
    return op;
  }
  void run(const Linear& op, const Buffer& room, bool large) {
    card.facts.multiprocessors = large ? 1 : INT_MAX;
    const cuda::RoundRows rounded = cuda::round_rows_of(op, room.get());
    card.run(rounded);
    const auto arg =
        cuda::with_half_boxes(op, rounded, card.facts, [](const cuda::Boxes& b) { return simt::encode(b); });
    card.run(cuda::plan(arg, card.facts), &arg);
  }
};

Floor floor_of(const Linears& a, bool large) {
  const cuda::HalfTile tile = large ? cuda::kLargeHalfTile : cuda::kSmallHalfTile;
  Floor floor{0, 0, "w"};
  const int64_t tiles = (a.shape.tokens + tile.tokens - 1) / tile.tokens, steps = (a.shape.cols + 63) / 64;
  for (const PackedWeight& weight : a.weights) {
    floor.bytes += static_cast<int64_t>(weight.rows) * weight.cols * 2 * tiles;
    floor.mma +=
        (weight.rows + tile.outputs - 1) / tile.outputs * (tile.outputs / 16) * tiles * (tile.tokens / 8) * steps * 4;
  }
  return floor;
}

void run_case(Dtype dtype, const Shape& shape, bool large, uint64_t seed, bool once = false) {
  Linears a(dtype, shape, seed);
  KV_CHECK(cuda::uses_wgmma_half(a.op(a.x, true), a.card.facts), "INTERNAL", "not by wgmma");
  const Buffer room(static_cast<size_t>(cuda::rounded_bytes(shape.tokens, shape.cols)));
  const Buffer found = a.result(), other = a.result(), expected = a.result();
  a.card.has(room, 2, "rounded", false);
  a.card.has(found, 4, "y");
  a.card.has(other, 4, "other");
  a.run(a.op(found, true), room, large);
  int64_t different = 0;
  if (!once) {
    a.run(a.op(other, true), room, !large);
    different += differences(found.get(), other.get(), static_cast<int64_t>(found.size));
    for (const int t : {0, shape.tokens / 2, shape.tokens - 1}) {
      const Buffer alone = a.result();
      a.card.has(alone, 4, "alone");
      Linear one = a.op(alone, true);
      one.x.data += t * one.x.stride, one.y.data += t * one.y.stride;
      one.x.rows = one.y.rows = 1;
      a.run(one, room, large);
      different += differences(one.y.data, found.get() + t * one.y.stride, int64_t{a.columns} * 4);
    }
  }
  run_on_cpu(&cpu::KernelTable::linear, a.op(expected, false));
  // Row by row: one is large.
  double error = 0;
  for (int t = 0; t < shape.tokens; ++t) {
    const auto row = [&](const Buffer& y) {
      Rows rows = rows_in(y, Dtype::f32, 1, a.columns);
      rows.data += t * rows.stride;
      return rows;
    };
    error = std::max(error, error_of(row(found), row(expected)));
  }
  print(text("linear ", name_of(dtype), " by wgmma, ", large ? "large " : "small ", shape.tokens, "x", shape.outputs,
             "x", shape.cols),
        a.card, different, error, floor_of(a, large));
}

}  // namespace

void run_tensor_linear(uint64_t seed) {
  const std::vector<Shape> few = {{3, 33, 72}, {70, 64, 136}},
                           more = {{1, 16, 64},   {64, 64, 512},   {65, 150, 328}, {130, 256, 512},
                                   {70, 20, 960}, {300, 270, 256}, {17, 300, 8}};
  for (const Dtype dtype : {Dtype::f16, Dtype::bf16})
    for (const Shape& shape : few_shapes ? few : more)
      for (const bool large : {false, true})
        if (!large || shape.tokens > 64) run_case(dtype, shape, large, seed);
}

void lint_tensor_linear() {
  for (const Dtype dtype : {Dtype::f16, Dtype::bf16}) {
    run_case(dtype, {1, 128, 1024}, false, 1, true);
    run_case(dtype, {64, 128, 512}, false, 1, true);
    run_case(dtype, {128, 256, 512}, true, 1, true);
  }
}

}  // namespace kvasir::simt_test
