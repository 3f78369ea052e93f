// A card under test: memory filled from this process, ops run and timed by their launches, and what came of it.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "native/cpu/table.h"
#include "native/cuda/contract.h"
#include "native/driver/kernels.h"
#include "native/driver/stream.h"

namespace kvasir::gpu_bench {

class Card {
 public:
  // `small`: sizes for an emulator or a sanitizer, and times that mean nothing. On emulated cards always.
  explicit Card(bool small);

  driver::DeviceMemory put(const void* data, size_t bytes);
  driver::DeviceMemory room(size_t bytes) { return driver::DeviceMemory(context_, bytes); }
  std::vector<uint8_t> get(const uint8_t* from, size_t bytes);

  template <typename Op>
  void queue(const Op& op) {
    queue(cuda::plan(op, facts()), &op);
  }
  void queue(const Linear& op);
  void queue(const cuda::PagedAttention& op);
  void queue(const cuda::Launches& launches, const void* op);
  cuda::TensorMap encode(const cuda::Boxes& boxes) const { return context_->encode(boxes); }

  // Whether ops may go by wgmma, where the card has it.
  void use_wgmma(bool use) { facts_.wgmma = facts_.wgmma_attention = facts_.wgmma_half = use && has_wgmma_; }
  bool has_wgmma() const { return has_wgmma_; }
  bool small() const { return small_; }
  // So much time has gone that what is left is left out.
  bool late() const { return std::chrono::steady_clock::now() - begin_ > std::chrono::minutes(7); }

  // Median milliseconds of one of `ops`, which differ in the memory they read, so that none is found in a cache.
  template <typename Op>
  double milliseconds(const std::vector<Op>& ops) {
    return measure(ops.size(), [&](size_t i) { queue(ops[i]); });
  }

  const cuda::DeviceFacts& facts() const { return facts_; }
  const driver::CardFacts& card() const { return context_->card(); }
  int driver_version() const { return context_->driver().version(); }
  bool emulated() const;

 private:
  double measure(size_t count, const std::function<void(size_t)>& queue_one);
  // Waits for what is queued. After a minute, with a word on stderr, it ends the process: nothing else would end the kernel.
  void finish();

  driver::ContextPtr context_;
  driver::Kernels kernels_;
  driver::Stream stream_;
  const char* last_ = "";         // kernel that was queued
  driver::DeviceMemory rounded_;  // for linear with 16-bit weights
  bool small_, has_wgmma_;
  cuda::DeviceFacts facts_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

// One line of the table.
struct Line {
  std::string name;
  int64_t different =
      0;  // bytes that are not the processor's; by tensor cores in 16 bits: values that are far from its
  double milliseconds = 0;
  double bytes = 0;  // that it must move at least
  double ops = 0;    // multiplications and additions
  double rate = 1;   // how many of them go in the time of one of 8-bit integers
};

// The same op on this processor.
template <typename Op>
void on_cpu(void (*cpu::KernelTable::*kernel)(const Op&, const Worker&), const Op& op) {
  const char* error = nullptr;
  std::atomic<int64_t> ticket{0};
  std::vector<uint8_t> scratch(kScratchBytes + 64);
  auto* aligned = scratch.data() + (64 - reinterpret_cast<uintptr_t>(scratch.data()) % 64);
  const Worker worker{.index = 0,
                      .count = 1,
                      .barrier = nullptr,
                      .ticket = &ticket,
                      .scratch = aligned,
                      .scratch_bytes = kScratchBytes};
  (cpu::select_kernels(&error)->*kernel)(op, worker);
}

// Bytes that differ among the first `used` of each row.
int64_t different_bytes(const std::vector<uint8_t>& found, const uint8_t* expected, int64_t rows, int64_t stride,
                        int64_t used);

// f32 values that differ by more than rounding to 16 bits explains, among the first `used` of each row.
int64_t far_values(const std::vector<uint8_t>& found, const uint8_t* expected, int64_t rows, int64_t stride,
                   int64_t used);

std::vector<Line> bench_linear(Card& card);
std::vector<Line> bench_attention(Card& card);
std::vector<Line> bench_rows(Card& card);
// compute-sanitizer's tools over this program at small sizes: what each says, a line each. Empty: it is not on this machine.
std::vector<std::string> sanitize(const char* program);
double copy_bandwidth(Card& card);  // bytes a second, read and written
// Cases of native/cuda/conformance.h whose bits are not the emulator's; their vectors go to `path` unless it is empty.
std::vector<std::string> conformance(Card& card, const std::string& path);

}  // namespace kvasir::gpu_bench
