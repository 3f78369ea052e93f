#include "bench/gpu/card.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace kvasir::gpu_bench {
namespace {

std::vector<std::string> folders() {
  const char* named = std::getenv("KVASIR_CUDA_KERNELS");
  return {named && *named ? named : "build/cuda"};
}

}  // namespace

Card::Card(bool small)
    : context_(std::make_shared<driver::Context>(driver::Driver::open(), 0)),
      kernels_(context_, folders()),
      stream_(context_),
      small_(small || emulated()),
      has_wgmma_(card().compute_capability == 90 && kernels_.has("linear_q8_0_wgmma_128")),
      facts_{card().multiprocessors, card().compute_capability, card().shared_bytes} {}

driver::DeviceMemory Card::put(const void* data, size_t bytes) {
  driver::DeviceMemory memory(context_, std::max<size_t>(bytes, 1));
  stream_.copy_in(memory.data(), data, bytes);
  stream_.wait();
  return memory;
}

std::vector<uint8_t> Card::get(const uint8_t* from, size_t bytes) {
  std::vector<uint8_t> data(bytes);
  finish();
  stream_.copy_out(data.data(), from, bytes);
  stream_.wait();
  return data;
}

void Card::finish() {
  const driver::Event over(context_);
  stream_.record(over);
  for (const auto begin = std::chrono::steady_clock::now(); !over.passed();) {
    std::this_thread::sleep_for(std::chrono::microseconds(50));
    if (std::chrono::steady_clock::now() - begin < std::chrono::minutes(1)) continue;
    std::fprintf(stderr, "%s, or a kernel queued just before it, does not end\n", last_);
    std::_Exit(3);
  }
}

void Card::queue(const cuda::Launches& launches, const void* op) {
  for (int i = 0; i < launches.count; ++i) {
    const cuda::Launch& launch = launches.launch[i];
    last_ = launch.kernel;
    stream_.launch(kernels_.find(launch.kernel, launch.shared_bytes), {launch.grid.x, launch.grid.y, launch.grid.z},
                   {launch.block.x, launch.block.y, launch.block.z}, launch.shared_bytes, op);
  }
}

void Card::queue(const Linear& op) {
  const auto encoder = [this](const cuda::Boxes& boxes) { return encode(boxes); };
  if (cuda::uses_wgmma_half(op, facts_)) {
    const auto bytes = static_cast<size_t>(cuda::rounded_bytes(op.x.rows, op.x.dim));
    if (rounded_.size() < bytes) rounded_ = room(bytes);
    const cuda::RoundRows rounded = cuda::round_rows_of(op, rounded_.data());
    queue(cuda::plan(rounded, facts_), &rounded);
    const auto arg = cuda::with_half_boxes(op, rounded, facts_, encoder);
    return queue(cuda::plan(arg, facts_), &arg);
  }
  if (!cuda::uses_wgmma(op, facts_)) return queue(cuda::plan(op, facts_), &op);
  const auto arg = cuda::with_boxes(op, encoder);
  queue(cuda::plan(arg, facts_), &arg);
}

void Card::queue(const cuda::PagedAttention& op) {
  if (!cuda::uses_wgmma(op.op, facts_)) return queue(cuda::plan(op, facts_), &op);
  const auto arg = cuda::with_pages(op, [this](const cuda::Boxes& boxes) { return encode(boxes); });
  queue(cuda::plan(arg, facts_), &arg);
}

bool Card::emulated() const { return card().name.starts_with("Emulated"); }

double Card::measure(size_t count, const std::function<void(size_t)>& queue_one) {
  const int rounds = small_ ? 1 : 9, warm_ups = small_ ? 0 : 2;
  const size_t each = small_ ? count : std::max<size_t>(count, 20);  // a round is long beside a launch
  std::vector<double> times;
  for (int round = -warm_ups; round < rounds; ++round) {
    const driver::Event begin(context_, driver::Event::kTimed), end(context_, driver::Event::kTimed);
    stream_.record(begin);
    for (size_t i = 0; i < each; ++i) queue_one(i % count);
    stream_.record(end);
    finish();
    if (round >= 0) times.push_back(end.milliseconds_since(begin) / static_cast<double>(each));
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

int64_t different_bytes(const std::vector<uint8_t>& found, const uint8_t* expected, int64_t rows, int64_t stride,
                        int64_t used) {
  int64_t different = 0;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t i = 0; i < used; ++i) different += found[r * stride + i] != expected[r * stride + i];
  return different;
}

int64_t far_values(const std::vector<uint8_t>& found, const uint8_t* expected, int64_t rows, int64_t stride,
                   int64_t used) {
  constexpr float kRounding = 4e-3f;  // of bf16, relative to the largest value
  const auto row = [&](const uint8_t* data, int64_t r) { return reinterpret_cast<const float*>(data + r * stride); };
  float most = 0;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t i = 0; i < used; ++i) most = std::max(most, std::fabs(row(expected, r)[i]));
  int64_t far = 0;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t i = 0; i < used; ++i)
      far += !(std::fabs(row(found.data(), r)[i] - row(expected, r)[i]) <= kRounding * most);
  return far;
}

}  // namespace kvasir::gpu_bench
