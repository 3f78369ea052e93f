// The threads of a device. One task runs on all of them at once; inside a task they meet at barriers.
//
// Within a task a waiting thread spins for some microseconds, then parks, so that a host which takes a
// core away slows the work in proportion and no further. Between tasks everybody parks.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "native/base/worker.h"

namespace kvasir {

// Waits until `word` differs from `old`: spins, then parks. `parked` counts the threads that need a wake-up call.
void wait_while_equal(const std::atomic<uint32_t>& word, uint32_t old, std::atomic<int>& parked);

class TeamBarrier final : public Barrier {
 public:
  TeamBarrier(int count, std::atomic<int64_t>& ticket) : count_(count), ticket_(ticket) {}
  void wait() override;

 private:
  const int count_;
  std::atomic<int64_t>& ticket_;
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<uint32_t> generation_{0};
  std::atomic<int> parked_{0};
};

class ThreadTeam {
 public:
  // The thread that calls run() is the first of `threads`. `background`: lower priority for the others.
  ThreadTeam(int threads, bool background);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  // Runs task(worker) on every thread; returns when all have finished. Always from the same thread.
  void run(const std::function<void(const Worker&)>& task);

  int size() const { return static_cast<int>(workers_.size()); }

 private:
  struct Scratch {
    alignas(64) uint8_t bytes[kScratchBytes];
  };

  void serve(int index, bool background);

  alignas(64) std::atomic<int64_t> ticket_{0};
  TeamBarrier barrier_;
  std::vector<std::unique_ptr<Scratch>> scratch_;
  std::vector<Worker> workers_;
  std::vector<std::thread> threads_;

  const std::function<void(const Worker&)>* task_ = nullptr;
  alignas(64) std::atomic<uint32_t> epoch_{0};
  std::atomic<int> parked_{0};
  std::atomic<bool> stopping_{false};
};

}  // namespace kvasir
