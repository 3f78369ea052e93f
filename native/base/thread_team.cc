#include "native/base/thread_team.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace kvasir {
namespace {

// About 30 µs. Then park, and do not yield: a yield to a busy program lasts as long as that program's time slice.
constexpr int kSpins = 2000;

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

void wait_while_equal(const std::atomic<uint32_t>& word, uint32_t old, std::atomic<int>& parked) {
  for (int i = 0; i < kSpins; ++i) {
    if (word.load(std::memory_order_acquire) != old) return;
    pause();
  }
  // Sequentially consistent on both sides: either the waker sees us counted, or we see the new word.
  parked.fetch_add(1);
  word.wait(old);
  parked.fetch_sub(1);
}

void TeamBarrier::wait() {
  const uint32_t generation = generation_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 < count_) {
    wait_while_equal(generation_, generation, parked_);
    return;
  }
  arrived_.store(0, std::memory_order_relaxed);
  ticket_.store(0, std::memory_order_relaxed);
  generation_.store(generation + 1);
  if (parked_.load() > 0) generation_.notify_all();
}

ThreadTeam::ThreadTeam(int threads, bool background) : barrier_(threads, ticket_) {
  for (int i = 0; i < threads; ++i) {
    scratch_.push_back(std::make_unique_for_overwrite<Scratch>());
    workers_.push_back({i, threads, &barrier_, &ticket_, scratch_[i]->bytes, kScratchBytes});
  }
  for (int i = 1; i < threads; ++i) threads_.emplace_back([this, i, background] { serve(i, background); });
}

ThreadTeam::~ThreadTeam() {
  stopping_ = true;
  epoch_.fetch_add(1);
  epoch_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadTeam::run(const std::function<void(const Worker&)>& task) {
  task_ = &task;
  epoch_.fetch_add(1);
  if (parked_.load() > 0) epoch_.notify_all();
  task(workers_[0]);
  workers_[0].sync();
}

void ThreadTeam::serve(int index, bool background) {
  if (background) setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), 10);
  uint32_t seen = 0;
  while (true) {
    wait_while_equal(epoch_, seen, parked_);
    ++seen;
    if (stopping_) return;
    (*task_)(workers_[index]);
    workers_[index].sync();
  }
}

}  // namespace kvasir
