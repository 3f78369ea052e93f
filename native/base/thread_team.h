// The threads of a device. One task runs on all of them at once; inside a task they meet at barriers.
//
// Within a task a waiting thread spins for some microseconds, then parks; between tasks everybody parks. Where other
// programs take the cores, threads that wait for one another get little done: see Crowding.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "native/base/crowding.h"
#include "native/base/worker.h"

namespace kvasir {

class TeamBarrier final : public Barrier {
 public:
  explicit TeamBarrier(std::atomic<int64_t>& ticket) : ticket_(ticket) {}
  void wait() override;
  void set_count(int count) { count_ = count; }  // while nobody waits

 private:
  int count_ = 1;
  std::atomic<int64_t>& ticket_;
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<uint32_t> generation_{0};
  std::atomic<int> parked_{0};
};

class ThreadTeam {
 public:
  // The thread that calls run() is the first of `threads`. `background`: lower priority for the others. Throws
  // KV_NATIVE when the system has no more threads.
  ThreadTeam(int threads, bool background);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  // Runs task(worker) on as many threads as the host leaves us; returns when all have finished. Always from the same
  // thread. What a task computes may not depend on the number of threads.
  void run(const std::function<void(const Worker&)>& task);

 private:
  struct Scratch {
    alignas(64) uint8_t bytes[kScratchBytes];
  };
  struct alignas(64) Waited {
    int64_t ns = 0;  // of one thread at the barriers of one task
  };

  static constexpr uint32_t kThreadLimit = 1 << 12;

  void serve(int index, bool background);
  void work(int index);
  void stop();

  alignas(64) std::atomic<int64_t> ticket_{0};
  TeamBarrier barrier_;
  std::vector<std::unique_ptr<Scratch>> scratch_;
  std::vector<Worker> workers_;
  std::vector<Waited> waited_;
  std::vector<std::thread> threads_;
  Crowding crowding_;

  const std::function<void(const Worker&)>* task_ = nullptr;
  alignas(64) std::atomic<uint32_t> epoch_{0};  // number of the task · kThreadLimit + threads that run it
  std::atomic<int> parked_{0};
  std::atomic<bool> stopping_{false};
};

}  // namespace kvasir
