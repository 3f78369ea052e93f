// linear in every format against the processor's, to the bit.
#include <climits>

#include "native/base/check.h"
#include "native/cuda/pack.h"
#include "test/simt/harness.h"

namespace kvasir::simt_test {
namespace {

struct Shape {
  int tokens, outputs, cols;
};

// Each panel once for every 64 tokens.
Floor floor_of(const std::vector<PackedWeight>& weights, const Shape& shape) {
  Floor floor{0, 0, "w"};
  for (const PackedWeight& weight : weights) {
    if (!is_quantised(weight.dtype)) return {};
    const int64_t panels = cuda::panels_of(weight.rows), groups = weight.cols / kGroup;
    floor.mma += panels * groups * ((shape.tokens + 7) / 8) * (weight.dtype == Dtype::q6_k ? 2 : 1);
    floor.bytes += static_cast<int64_t>(weight.packed.size) * ((shape.tokens + 63) / 64);
  }
  return floor;
}

// Two segments of one format (one, where its outputs are whole blocks), the first with a bias; or three of which the second has
// another. `panels`: of a warp, by wgmma.
void run_case(Dtype first, Dtype second, const Shape& shape, bool accumulates, uint64_t seed, int panels = 0) {
  Card card(seed);
  card.facts.wgmma = panels > 0;
  card.facts.multiprocessors = panels == 1 ? INT_MAX : 1;
  Random random(static_cast<unsigned>(seed + shape.cols));
  const Dtype in = is_quantised(first) ? Dtype::act8 : Dtype::f32;
  const Buffer x = test::random_activations(in, shape.tokens, shape.cols, random);
  std::vector<PackedWeight> weights;
  weights.emplace_back(first, shape.outputs, shape.cols, random);
  if (shape.outputs % 128 != 0) weights.emplace_back(second, 21, shape.cols, random);
  if (first != second) weights.emplace_back(first, 16, shape.cols, random);
  std::vector<float> bias(shape.outputs);
  for (float& value : bias) value = static_cast<float>(random() % 100) / 64;
  int column = 3, columns = 5;
  for (const PackedWeight& weight : weights) columns += weight.rows;
  const Buffer found = rows_buffer(Dtype::f32, shape.tokens, columns);
  const Buffer expected = rows_buffer(Dtype::f32, shape.tokens, columns);
  for (size_t i = 0; i < found.size / 4; ++i)
    reinterpret_cast<float*>(found.get())[i] = reinterpret_cast<float*>(expected.get())[i] =
        static_cast<float>(i % 97) / 8;

  card.has(x, 1, "x");
  card.has(bias, "bias");
  card.has(found, 4, "y");
  Linear op{.x = rows_in(x, in, shape.tokens, shape.cols),
            .segment = {},
            .segments = 0,
            .y = rows_in(found, Dtype::f32, shape.tokens, columns),
            .accumulate = accumulates};
  Linear same = op;
  same.y = rows_in(expected, Dtype::f32, shape.tokens, columns);
  for (const PackedWeight& weight : weights) {
    card.has(weight.packed, 1, "w");
    const float* with = op.segments == 0 ? bias.data() : nullptr;
    same.segment[op.segments] = {weight.host(), with, column};
    op.segment[op.segments++] = {weight.device(), with, column};
    column += weight.rows;
  }
  same.segments = op.segments;
  card.run(op);
  run_on_cpu(&cpu::KernelTable::linear, same);
  print(text(panels ? text("linear by wgmma of ", panels, " ") : "linear ", name_of(first),
             first == second ? "" : text("+", name_of(second)), " ", shape.tokens, "x", shape.outputs, "x", shape.cols),
        card, differences(op.y, same.y), 0, floor_of(weights, shape));
}

// Ends of tokens, of panels, of stages and of the ring, with one or two panels to a warp.
void run_wgmma(int panels, uint64_t seed) {
  const std::vector<Shape> small = {{18, 33, 256}},
                           large = {{9, 16, 256},   {64, 48, 512},   {65, 150, 256}, {130, 128, 512},
                                    {70, 20, 1024}, {300, 256, 256}, {20, 300, 256}};
  for (const test::Format& format : test::kFormats) {
    if (!is_quantised(format.dtype)) continue;
    for (const Shape& shape : few_shapes ? small : large)
      run_case(format.dtype, format.dtype, shape, shape.outputs % 2 == 0, seed, panels);
    if (block_of(format.dtype).values == 32) run_case(format.dtype, format.dtype, {12, 19, 96}, false, seed, panels);
  }
  run_case(Dtype::q4_0, Dtype::q4_0, {66, 21, few_shapes ? 512 : 1920}, true, seed, panels);
  run_case(Dtype::q4_k, Dtype::q6_k, {10, 24, 256}, false, seed, panels);
}

}  // namespace

void run_linear(uint64_t seed) {
  const std::vector<Shape> small = {{1, 16, 256}, {18, 33, 256}};
  const std::vector<Shape> large = {{1, 64, 512},  {3, 17, 256},  {8, 40, 768},  {9, 16, 256},
                                    {17, 48, 512}, {64, 20, 256}, {65, 32, 256}, {130, 16, 512}};
  for (const test::Format& format : test::kFormats) {
    for (const Shape& shape : few_shapes ? small : large)
      run_case(format.dtype, format.dtype, shape, shape.outputs % 2 == 0, seed);
    if (block_of(format.dtype).values == 32) run_case(format.dtype, format.dtype, {5, 19, 96}, false, seed);
    if (!is_quantised(format.dtype)) run_case(format.dtype, format.dtype, {3, 18, 41}, true, seed);
  }
  run_case(Dtype::q4_k, Dtype::q6_k, {2, 24, 256}, false, seed);
  for (const int panels : {1, 2}) run_wgmma(panels, seed);
  run_case(Dtype::f16, Dtype::f32, {2, 24, 64}, false, seed);
}

void lint_linear() {
  for (const test::Format& format : test::kFormats)
    if (is_quantised(format.dtype))
      for (const Shape& shape : {Shape{1, 128, 2048}, {8, 128, 2048}, {64, 128, 512}, {192, 256, 512}})
        run_case(format.dtype, format.dtype, shape, false, 1);
  for (const test::Format& format : test::kFormats)
    if (is_quantised(format.dtype))
      for (const int panels : {1, 2}) run_case(format.dtype, format.dtype, {128, 128 * panels, 512}, false, 1, panels);
}

}  // namespace kvasir::simt_test
