// linear in the formats of files, at the shapes of an 8-billion-parameter model.
#include "bench/gpu/card.h"
#include "native/base/check.h"
#include "native/cuda/pack.h"
#include "test/native/linear_data.h"

namespace kvasir::gpu_bench {
namespace {

constexpr double kRotated = 200e6;  // bytes of weights that a round goes through: more than any cache

Line one(Card& card, const test::Format& format, int32_t tokens, int32_t outputs, int32_t cols) {
  test::Random random(static_cast<unsigned>(tokens + outputs));
  const Dtype in = is_quantised(format.dtype) ? Dtype::act8 : Dtype::f32;
  const test::Buffer w = test::random_weights(format.dtype, outputs, cols, random);
  const test::Buffer x = test::random_activations(in, tokens, cols, random);
  const int64_t x_stride = activation_stride(in, cols), y_stride = activation_stride(Dtype::f32, outputs);
  const test::Buffer expected(tokens * y_stride, 0);
  const Weight host{w.get(), format.dtype, outputs, cols, row_bytes(format.dtype, cols)};
  std::vector<uint8_t> packed(cuda::packed_bytes(format.dtype, outputs, cols));
  cuda::pack_panels(host, 0, cuda::panels_of(outputs), packed.data());

  const auto x_there = card.put(x.get(), x.size);
  const auto y_there = card.put(expected.get(), expected.size);
  std::vector<driver::DeviceMemory> weights;
  const size_t copies = card.small() ? 1 : static_cast<size_t>(kRotated / static_cast<double>(packed.size())) + 1;
  for (size_t i = 0; i < copies; ++i) weights.push_back(card.put(packed.data(), packed.size()));

  Linear op;
  op.x = {x.get(), in, tokens, cols, x_stride};
  op.y = {expected.get(), Dtype::f32, tokens, outputs, y_stride};
  op.segment[0].w = host;
  op.segments = 1;
  on_cpu(&cpu::KernelTable::linear, op);
  std::vector<Linear> ops;
  for (const auto& weight : weights) {
    ops.push_back(op);
    ops.back().x.data = x_there.data();
    ops.back().y.data = y_there.data();
    ops.back().segment[0].w.data = weight.data();
  }
  Line line;
  const bool half = cuda::uses_wgmma_half(ops[0], card.facts());
  line.name = text(half || cuda::uses_wgmma(ops[0], card.facts()) ? "linear by wgmma " : "linear ", format.name, " ",
                   tokens, " x ", outputs, " x ", cols);
  line.milliseconds = card.milliseconds(ops);
  const std::vector<uint8_t> found = card.get(y_there.data(), expected.size);
  line.different = half ? far_values(found, expected.get(), tokens, y_stride, outputs)
                        : different_bytes(found, expected.get(), tokens, y_stride, outputs * 4);
  line.bytes = static_cast<double>(packed.size()) + static_cast<double>(x.size) + 4.0 * tokens * outputs;
  line.ops = half || is_quantised(format.dtype) ? 2.0 * tokens * outputs * cols : 0;
  if (half) line.rate = 0.5;
  return line;
}

}  // namespace

std::vector<Line> bench_linear(Card& card) {
  std::vector<Line> lines;
  for (const test::Format& format : test::kFormats) {
    const auto add = [&](int tokens, int outputs, int cols) {
      if (!card.late()) lines.push_back(one(card, format, tokens, outputs, cols));
    };
    card.use_wgmma(false);
    if (card.small()) {
      for (const int tokens : {1, 24}) add(tokens, 48, 512);
    } else {
      for (const int tokens : {1, 8, 64, 512, 2048}) add(tokens, 14336, 4096);
      add(1, 4096, 14336);
    }
    card.use_wgmma(true);
    if (!card.has_wgmma() || format.dtype == Dtype::f32) continue;
    if (card.small()) {
      add(24, 48, 512);
      add(130, 144, 256);
    } else {
      // By wgmma 16-bit weights go with few tokens too.
      if (!is_quantised(format.dtype))
        for (const int tokens : {1, 8}) add(tokens, 14336, 4096);
      for (const int tokens : {64, 512, 2048}) add(tokens, 14336, 4096);
    }
  }
  return lines;
}

}  // namespace kvasir::gpu_bench
