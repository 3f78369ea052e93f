// The processor as a device: a thread of its own takes steps from a queue, in order, and runs their tapes.
#pragma once

#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "native/base/anonymous_memory.h"
#include "native/base/check.h"
#include "native/base/thread_team.h"
#include "native/executor/queued_device.h"
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

class Executor final : public QueuedDevice {
 public:
  // Throws KV_NATIVE when a program does not fit the weights or the cache, or the system has no more threads.
  Executor(const ExecutorOptions& options, std::shared_ptr<const Weights> weights,
           std::vector<std::shared_ptr<const Program>> programs);
  ~Executor() override { stop(); }

  int add_program(std::shared_ptr<const Program> program) override;
  void set_background(bool background) override;
  void stop() override;
  ExecutorStats stats() const override;
  int threads() const override { return options_.threads; }
  const Profile* profile() const override { return profile_ ? &*profile_ : nullptr; }

 private:
  struct Outcome {  // of a step that has run and was not told yet
    Done done;
    std::vector<int32_t> words;
    std::optional<Error> error;
  };

  void start(bool background);
  void serve(int generation);
  void run(Step& step);
  void run(Copies& copies);
  void run(Opening& opening);
  void run(Release& release);
  void tell();
  std::shared_ptr<const Program> program_of(const std::vector<int32_t>& words);
  std::vector<int32_t> results_of(const std::vector<int32_t>& words);
  void copy_page(int from, int to);

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

  std::vector<std::shared_ptr<const Program>> programs_;  // guarded by mutex_
  std::thread thread_;    // guarded by mutex_ until stopping_; it has joined all before it
  int generation_ = 0;    // of that thread, guarded by mutex_
  bool lowered_ = false;  // likewise
};

}  // namespace kvasir
