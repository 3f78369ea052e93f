// Threads that run a kernel once, each with scratch memory of its own that holds poison.
#pragma once

#include <atomic>
#include <barrier>
#include <functional>
#include <thread>
#include <vector>

#include "native/base/worker.h"
#include "test/native/linear_data.h"

namespace kvasir::test {

class Team : public Barrier {
 public:
  explicit Team(int count) : count_(count), barrier_(count, Reset{&ticket_}) {}
  void wait() override { barrier_.arrive_and_wait(); }

  void run(const std::function<void(const Worker&)>& kernel) {
    std::vector<std::thread> threads;
    for (int i = 0; i < count_; ++i) {
      threads.emplace_back([&, i] {
        const Buffer scratch(size_t{kScratchBytes});
        kernel(Worker{i, count_, this, &ticket_, scratch.get(), kScratchBytes});
      });
    }
    for (std::thread& thread : threads) thread.join();
    ticket_ = 0;
  }

 private:
  struct Reset {
    std::atomic<int64_t>* ticket;
    void operator()() noexcept { ticket->store(0); }
  };
  int count_;
  std::atomic<int64_t> ticket_{0};
  std::barrier<Reset> barrier_;
};

}  // namespace kvasir::test
