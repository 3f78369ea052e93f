// A model on a card: everything that it has there, and how a step is queued.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "native/executor/cuda/card_swap.h"
#include "native/executor/cuda/decode.h"
#include "native/executor/cuda/formats.h"
#include "native/executor/cuda/queue_tape.h"
#include "native/executor/cuda/step_arrays.h"
#include "native/executor/cuda/weights.h"
#include "native/executor/executor.h"

namespace kvasir::cuda {

struct CardOptions {
  driver::ContextPtr context;
  std::vector<std::string> kernel_folders;
  std::function<void(UploadProgress)> progress;
};

// A step on its way: what it brings, what it leaves, and when it is over.
struct Flight {
  Flight(const driver::ContextPtr& context, int64_t in_bytes) : in(context, in_bytes), over(context) {}
  driver::PinnedMemory in, out;  // out: grows with what its steps leave
  driver::Event over;
  int32_t rows = 0;
  int32_t pooled = 0;  // floats behind the results
  driver::PinnedMemory masks;
  std::vector<FormattedRow> formatted;
};

class CardModel {
 public:
  // Throws KV_NOT_FOUND, KV_UNSUPPORTED or KV_NATIVE with a sentence.
  CardModel(const ExecutorOptions& options, const CardOptions& card, const Weights& weights,
            std::vector<std::shared_ptr<const Program>> programs);

  ~CardModel() { settle(); }

  // From any thread; all else is for one.
  int add_program(std::shared_ptr<const Program> program);

  void open(int slot, const SamplerParams& params, const std::vector<int32_t>& prompt);

  // Checks the step and queues it with its copies in and out; flight.over follows them.
  void queue(const std::vector<int32_t>& words, Flight& flight);
  // Queues copies out of the KV cache or back into it; `over` follows them. Throws KV_NATIVE, then and from then on, when
  // one could not be queued.
  void swap(const std::vector<int32_t>& copies, const driver::Event& over);
  std::unique_ptr<driver::Event> new_event() const { return std::make_unique<driver::Event>(context_); }
  // Waits for what is queued, whatever becomes of it.
  void settle() noexcept;
  std::unique_ptr<Flight> new_flight() const;
  // The result words of a flight that is over. By another thread than the one that queues.
  std::vector<int32_t> result_of(Flight& flight);
  // The flight comes to no result.
  void drop(Flight& flight) { formats_.drop(flight.formatted); }

  void enter() const { context_->enter(); }
  int64_t arena_bytes() const;
  int64_t kv_bytes() const { return kv_.bytes(); }
  int64_t graphs() const { return static_cast<int64_t>(graphs_.size()); }
  int64_t replays() const { return replays_; }
  bool wgmma() const { return facts_.wgmma || facts_.wgmma_attention || facts_.wgmma_half; }

 private:
  void queue_copies();
  void queue_masks(Flight& flight);
  void queue_results(const Program& program, Flight& flight, int32_t rows, int32_t sequences);
  void run_decode(const Program& program, uint8_t* arena, const DecodeShape& shape);
  void run(const Program& program, uint8_t* arena, const StepExtent& extent);
  std::shared_ptr<const Program> program_at(const std::vector<int32_t>& words);
  uint8_t* arena_of(int number, const Program& program);
  Card card();

  const ExecutorOptions options_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<const Program>> programs_;  // under the mutex
  const driver::ContextPtr context_;
  driver::Kernels kernels_;
  driver::Stream stream_;
  const DeviceFacts facts_;
  const CardWeights weights_;
  const StepLimits limits_;
  const StepArrays arrays_;
  CardSlots slots_;
  CardFormats formats_;
  KvCache kv_;
  std::optional<CardSwap> swap_;
  std::optional<Error> swap_failure_;
  driver::DeviceMemory kv_memory_, attention_, step_, masks_, results_, rounded_;
  // Recorded steps hold their addresses, so an arena never moves: a program that needs a larger one gets another.
  std::vector<driver::DeviceMemory> arenas_;
  std::map<int, uint8_t*> arena_of_program_;
  StepBuffers buffers_;
  std::set<DecodeShape> seen_;  // ran once: all that they launch is loaded
  std::map<DecodeShape, driver::Graph> graphs_;
  int64_t replays_ = 0;
};

}  // namespace kvasir::cuda
