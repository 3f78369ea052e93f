#include "native/executor/cuda/self_check.h"

#include <algorithm>
#include <climits>
#include <random>
#include <set>

#include "native/cuda/pack.h"
#include "native/executor/cuda/trial.h"

namespace kvasir::cuda {
namespace {

// Panels that are missing in a block, tokens that are missing in a tile, and a ring of stages that comes round.
constexpr int32_t kTokens = 70, kOutputs = 150, kCols = 1024;

// Without the bit that would make an f16 infinite or NaN wherever it may lie.
std::vector<uint8_t> finite_bytes(int64_t count, std::mt19937& random) {
  std::vector<uint8_t> bytes(count);
  for (uint8_t& byte : bytes) byte = random() & 0xBB;
  return bytes;
}

std::vector<uint8_t> random_tokens(int64_t stride, std::mt19937& random) {
  std::vector<uint8_t> bytes(kTokens * stride);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  const Rows rows{bytes.data(), Dtype::act8, kTokens, kCols, stride};
  for (int32_t t = 0; t < kTokens; ++t)
    for (int32_t g = 0; g < kCols / kGroup; ++g) {
      rows.scale(t)[g] = static_cast<float>(random() % 1000) * 1e-4f;
      rows.sum(t)[g] = static_cast<int32_t>(random() % 8000) - 4000;
    }
  return bytes;
}

bool agrees(Trial& trial, Dtype dtype, std::mt19937& random) {
  const int64_t x_stride = activation_stride(Dtype::act8, kCols), y_stride = activation_stride(Dtype::f32, kOutputs);
  const auto file = finite_bytes(kOutputs * row_bytes(dtype, kCols), random);
  std::vector<uint8_t> panels(packed_bytes(dtype, kOutputs, kCols));
  pack_panels({file.data(), dtype, kOutputs, kCols, row_bytes(dtype, kCols)}, 0, panels_of(kOutputs), panels.data());
  const auto w = trial.put(panels), x = trial.put(random_tokens(x_stride, random));
  std::vector<uint8_t> results[3];
  Linear op;
  op.x = {x.data(), Dtype::act8, kTokens, kCols, x_stride};
  op.segment[0].w = {w.data(), dtype, kOutputs, kCols, 0};
  op.segments = 1;
  for (int way = 0; way < 3; ++way) {  // linear_wide; two panels a warp; one
    results[way].resize(kTokens * y_stride);
    const auto y = trial.put(results[way]);
    op.y = {y.data(), Dtype::f32, kTokens, kOutputs, y_stride};
    const DeviceFacts facts{.multiprocessors = way == 1 ? 1 : INT_MAX, .compute_capability = 90, .wgmma = true};
    if (way == 0)
      trial.launch(op, facts);
    else
      trial.launch(with_boxes(op, [&](const Boxes& boxes) { return trial.context->encode(boxes); }), facts);
    trial.stream.copy_out(results[way].data(), y.data(), results[way].size());
    trial.stream.wait();
  }
  return results[0] == results[1] && results[0] == results[2];
}

}  // namespace

bool wgmma_agrees(const driver::ContextPtr& context, driver::Kernels& kernels, driver::Stream& stream,
                  const std::vector<Weight>& weights) {
  std::set<Dtype> formats;
  for (const Weight& weight : weights)
    if (is_quantised(weight.dtype)) formats.insert(weight.dtype);
  std::mt19937 random(90);
  Trial trial{context, kernels, stream};
  return std::all_of(formats.begin(), formats.end(), [&](Dtype dtype) { return agrees(trial, dtype, random); });
}

}  // namespace kvasir::cuda
