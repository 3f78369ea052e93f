// linear with 16-bit weights: by the kernel for every card, and by wgmma in large tiles and in small ones.
#include <climits>
#include <cmath>
#include <random>

#include "native/cuda/pack.h"
#include "native/executor/cuda/self_check.h"
#include "native/executor/cuda/trial.h"
#include "native/formats/half.h"

namespace kvasir::cuda {
namespace {

// Tiles that end in the middle, columns that end in the middle of a step, a ring that comes round.
constexpr int32_t kTokens = 150, kOutputs = 300, kCols = 1000;
constexpr float kRounding = 2e-3f;  // of sums of a thousand products of about a half

bool agrees(Trial& trial, Dtype dtype, std::mt19937& random) {
  std::vector<uint16_t> weights(panels_of(kOutputs) * kPanelRows * kCols);
  for (uint16_t& w : weights) {
    const float value = static_cast<float>(random() % 2001) * 1e-3f - 1.0f;
    w = dtype == Dtype::f16 ? f32_to_f16(value) : f32_to_bf16(value);
  }
  std::vector<float> tokens(kTokens * kCols);
  for (float& x : tokens)
    x = static_cast<float>(static_cast<int>(random() % 255) - 127) / 128;  // exact in both formats
  const auto w = trial.put(weights), x = trial.put(tokens);
  const driver::DeviceMemory room(trial.context, rounded_bytes(kTokens, kCols));
  Linear op;
  op.x = {x.data(), Dtype::f32, kTokens, kCols, kCols * int64_t{4}};
  op.segment[0].w = {w.data(), dtype, kOutputs, kCols, 0};
  op.segments = 1;
  std::vector<float> results[3];
  for (int way = 0; way < 3; ++way) {
    results[way].resize(kTokens * kOutputs);
    const auto y = trial.put(results[way]);
    op.y = {y.data(), Dtype::f32, kTokens, kOutputs, kOutputs * int64_t{4}};
    const DeviceFacts facts{.multiprocessors = way == 1 ? 1 : INT_MAX, .compute_capability = 90, .wgmma_half = true};
    if (way == 0) {
      trial.launch(op, facts);
    } else {
      const RoundRows rounded = round_rows_of(op, room.data());
      trial.launch(rounded, facts);
      trial.launch(with_half_boxes(op, rounded, facts, trial.encoder()), facts);
    }
    trial.get(y, results[way]);
  }
  bool agree = results[1] == results[2];
  for (size_t i = 0; i < results[0].size(); ++i) agree &= std::fabs(results[0][i] - results[1][i]) <= kRounding;
  return agree;
}

}  // namespace

bool wgmma_half_agrees(const driver::ContextPtr& context, driver::Kernels& kernels, driver::Stream& stream) {
  std::mt19937 random(92);
  Trial trial{context, kernels, stream};
  return agrees(trial, Dtype::f16, random) && agrees(trial, Dtype::bf16, random);
}

}  // namespace kvasir::cuda
