// The processor as a device: a thread of its own takes steps from a queue, in order, and runs their tapes.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "native/base/anonymous_memory.h"
#include "native/base/check.h"
#include "native/base/thread_team.h"
#include "native/executor/device.h"
#include "native/executor/run.h"
#include "native/executor/step.h"
#include "native/executor/swap_space.h"
#include "native/grammar/matcher.h"
#include "native/program/program.h"

namespace kvasir {

struct ExecutorOptions {
  int threads = 1;
  int slots = 1;
  bool background = false;
  bool profile = false;
  KvCache kv;  // shape only; the executor owns the memory
  SwapOptions swap;
};

class Executor final : public Device {
 public:
  // Throws KV_NATIVE when a program does not fit the weights or the cache, or the system has no more threads.
  Executor(const ExecutorOptions& options, std::shared_ptr<const Weights> weights,
           std::vector<std::shared_ptr<const Program>> programs);
  ~Executor() override { stop(); }

  void open(int slot, SamplerParams params, std::vector<int32_t> prompt) override;
  void submit(std::vector<int32_t> words, Done done) override;
  void release(std::vector<int32_t> pages) override;
  void swap(std::vector<int32_t> copies, Swapped done) override;
  int add_program(std::shared_ptr<const Program> program) override;
  void stop() override;
  ExecutorStats stats() const override;
  int threads() const override { return options_.threads; }
  const Profile* profile() const override { return profile_ ? &*profile_ : nullptr; }

 private:
  struct Job {
    std::vector<int32_t> words;  // a step when there is `done`, copies of a swap when there is `swapped`, or:
    std::vector<int32_t> pages;  // pages to give back, or, when there are none:
    int slot = 0;                // a slot to open
    SamplerParams params;
    std::vector<int32_t> prompt;
    Done done;
    Swapped swapped;
  };

  struct Outcome {  // of a step that has run and was not told yet
    Done done;
    std::vector<int32_t> words;
    std::optional<Error> error;
  };

  void serve();
  void push(Job job);
  void run_step(Job& job);
  void run_swap(const Job& job);
  void open_slot(Job& job);
  void tell();
  std::shared_ptr<const Program> program_of(const std::vector<int32_t>& words);
  std::vector<int32_t> run(const std::vector<int32_t>& words);
  void copy_page(int from, int to);
  void forget_pages(std::vector<int32_t>& pages);

  const ExecutorOptions options_;
  const std::shared_ptr<const Weights> weights_;
  const cpu::KernelTable* kernels_;
  KvCache kv_;
  AnonymousMemory kv_memory_;
  AnonymousMemory arena_;
  AnonymousMemory attention_{kAttentionWorkspaceBytes};
  grammar::Background background_;  // outlives the slots
  std::vector<SequenceSlot> slots_;
  std::vector<int32_t> last_sampled_;
  StepBuffers buffers_;
  std::optional<Outcome> outcome_;
  std::unique_ptr<ThreadTeam> team_;
  std::optional<SwapSpace> swap_;
  std::optional<Error> swap_failure_;
  std::optional<Profile> profile_;

  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<const Program>> programs_;
  std::condition_variable changed_;
  std::deque<Job> queue_;
  bool stopping_ = false;
  ExecutorStats stats_;
  std::thread thread_;
};

}  // namespace kvasir
