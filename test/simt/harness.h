// Runs ops on the emulated card and on this processor, and prints what differs: one JSON line a case.
#pragma once

#include <set>
#include <string>

#include "native/cpu/table.h"
#include "native/cuda/contract.h"
#include "native/simt/machine.h"
#include "test/native/linear_data.h"

namespace kvasir::simt_test {

#ifdef KVASIR_SIMT_CHECK
constexpr bool kCheck = true;
#else
constexpr bool kCheck = false;
#endif

// Check mode takes its time: it runs the smallest shapes of each case unless it is asked for all.
inline bool few_shapes = kCheck;

using test::Buffer;
using test::Random;

// A card with nothing in its memory yet.
struct Card {
  explicit Card(uint64_t seed) : seed(seed) {}

  // Tells the checker of memory; a value is `granule` bytes.
  void has(const void* data, size_t bytes, int granule, const char* name, bool initialised = true) {
    machine.add_buffer(data, bytes, granule, name, initialised);
  }
  void has(const Buffer& buffer, int granule, const char* name, bool initialised = true) {
    has(buffer.get(), buffer.size, granule, name, initialised);
  }
  template <typename T>
  void has(const std::vector<T>& data, const char* name) {
    has(data.data(), data.size() * sizeof(T), sizeof(T), name);
  }

  // All launches of an op, with the op as their argument.
  template <typename Op>
  void run(const Op& op) {
    run(cuda::plan(op, facts), &op);
  }
  void run(const Linear& op) {
    if (!cuda::uses_wgmma(op, facts)) return run(cuda::plan(op, facts), &op);
    const auto arg = cuda::with_boxes(op, [](const cuda::Boxes& boxes) { return simt::encode(boxes); });
    run(cuda::plan(arg, facts), &arg);
  }
  void run(const cuda::PagedAttention& op) {
    if (!cuda::uses_wgmma(op.op, facts)) return run(cuda::plan(op, facts), &op);
    const auto arg = cuda::with_pages(op, [](const cuda::Boxes& boxes) { return simt::encode(boxes); });
    run(cuda::plan(arg, facts), &arg);
  }
  void run(const cuda::Launches& launches, const void* op);

  uint64_t seed;
  cuda::DeviceFacts facts;
  simt::Machine machine{kCheck};
  std::set<std::string> kernels;  // that ran
};

// The same op on this processor, by one thread.
template <typename Op>
void run_on_cpu(void (*cpu::KernelTable::*kernel)(const Op&, const Worker&), const Op& op);

// What a case cannot do without: instructions of tensor cores, and bytes of its main operand (weights, pages) as often as
// the tiling asks for them.
struct Floor {
  int64_t mma = 0, bytes = 0;
  const char* operand = "";
};

// `different`: values whose bits are not the processor's. `error`: the largest difference relative to the largest value.
void print(const std::string& name, const Card& card, int64_t different, double error = 0, const Floor& floor = {});

// Values in the filled columns of two row sets that differ in any bit.
int64_t differences(const Rows& found, const Rows& expected);
int64_t differences(const void* found, const void* expected, int64_t bytes);
// The largest difference of f32 rows, relative to the largest value; infinite where only one of two is a number.
double error_of(const Rows& found, const Rows& expected);

// A matrix as the file holds it and as the card does.
struct PackedWeight {
  PackedWeight(Dtype dtype, int32_t rows, int32_t cols, Random& random);
  Weight host() const { return {file.get(), dtype, rows, cols, row_bytes(dtype, cols)}; }
  Weight device() const { return {packed.get(), dtype, rows, cols, 0}; }
  Dtype dtype;
  int32_t rows, cols;
  Buffer file, packed;
};

inline Rows rows_in(const Buffer& buffer, Dtype dtype, int32_t rows, int32_t dim) {
  return {buffer.get(), dtype, rows, dim, activation_stride(dtype, dim)};
}
inline Buffer rows_buffer(Dtype dtype, int32_t rows, int32_t dim) {
  return Buffer(static_cast<size_t>(rows * activation_stride(dtype, dim)));
}

const char* name_of(Dtype dtype);
void print_kernels();

// The suites, a group of ops each.
void run_rowwise(uint64_t seed);
void run_linear(uint64_t seed);
void run_attention(uint64_t seed);
void run_sample(uint64_t seed);
// Those that sum in an order of their own, in tensor cores.
void run_tensor_attention(uint64_t seed);
void run_tensor_linear(uint64_t seed);
// Shapes of real models, for what they ask of a card.
void run_lint();
void lint_linear();
void lint_attention();
void lint_tensor_attention();
void lint_tensor_linear();

template <typename Op>
void run_on_cpu(void (*cpu::KernelTable::*kernel)(const Op&, const Worker&), const Op& op) {
  static const cpu::KernelTable* table = [] {
    const char* error = nullptr;
    return cpu::select_kernels(&error);
  }();
  static Buffer scratch(kScratchBytes);
  std::atomic<int64_t> ticket{0};
  (table->*kernel)(op, {.ticket = &ticket, .scratch = scratch.get(), .scratch_bytes = kScratchBytes});
}

}  // namespace kvasir::simt_test
