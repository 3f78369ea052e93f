// A device that runs steps: the processor (executor.h) or a card (cuda/executor.h). Same tape, same words of a step.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "native/base/check.h"
#include "native/grammar/timings.h"
#include "native/ops/sample.h"
#include "native/program/program.h"

namespace kvasir {

struct ExecutorStats {
  int64_t steps = 0;
  double busy_ms = 0;
  int64_t arena_bytes = 0;
  int64_t kv_bytes = 0;
  int64_t graphs = 0;       // recorded steps that a card keeps
  int64_t replays = 0;      // steps that were one of them
  bool background = false;  // the threads give way to other programs
  bool wgmma = false;       // the kernels for compute capability 9.0 alone are used
  grammar::Durations::Summary format_path, format_beside;
};

class Profile;  // native/executor/profile.h

class Device {
 public:
  // Called on a thread of the device with the result words, or with an error.
  using Done = std::function<void(std::vector<int32_t>, std::optional<Error>)>;
  // … with the milliseconds that the copies took, or with an error.
  using Swapped = std::function<void(double, std::optional<Error>)>;

  virtual ~Device() = default;

  // Sets the sampler of a slot, after the steps that were submitted before.
  virtual void open(int slot, SamplerParams params, std::vector<int32_t> prompt) = 0;
  virtual void submit(std::vector<int32_t> words, Done done) = 0;

  // The memory of these pages of the KV cache goes back to the system, after what is queued. A card keeps all that it took.
  virtual void release(std::vector<int32_t> pages) = 0;

  // The threads of the device give way to other programs from the next job on, or no longer do. A card has none that
  // compute. Throws KV_DISPOSED, and KV_NATIVE when the system has no more threads.
  virtual void set_background(bool) {}

  // Copies pages out of the KV cache or back into it (swap_space.h), after what was queued before and before what comes
  // then. After one that failed all fail. Throws KV_UNSUPPORTED where there is no room for it.
  virtual void swap(std::vector<int32_t> copies, Swapped done) = 0;

  // Makes one more program for the steps to come; returns its number. Throws KV_NATIVE when it does not fit the others.
  virtual int add_program(std::shared_ptr<const Program> program) = 0;

  // Finishes the steps that run, fails what is queued with KV_DISPOSED, joins the threads. May be called again.
  virtual void stop() = 0;

  virtual ExecutorStats stats() const = 0;
  virtual int threads() const = 0;
  // Of the first program; null unless asked for. Read only while no step is queued or runs.
  virtual const Profile* profile() const { return nullptr; }
};

}  // namespace kvasir
