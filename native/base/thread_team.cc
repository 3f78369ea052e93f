#include "native/base/thread_team.h"

#include <system_error>

#include "native/base/check.h"
#include "native/base/system.h"

namespace kvasir {
namespace {

// About 30 µs. Then park, and do not yield: a yield to a busy program lasts as long as that program's time slice.
constexpr int kSpins = 2000;
// What a balanced team waits anyway; the clock is read only beyond it.
constexpr int kFreeSpins = 100;

// How long this thread has waited at barriers, without the first moments of each wait.
thread_local int64_t waited_ns = 0;

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Waits until `word` differs from `old`: spins, then parks. `parked` counts the threads that need a wake-up call.
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

}  // namespace

void TeamBarrier::wait() {
  const uint32_t generation = generation_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 < count_) {
    for (int i = 0; i < kFreeSpins; ++i) {
      if (generation_.load(std::memory_order_acquire) != generation) return;
      pause();
    }
    const int64_t begin = now_ns();
    wait_while_equal(generation_, generation, parked_);
    waited_ns += now_ns() - begin;
    return;
  }
  arrived_.store(0, std::memory_order_relaxed);
  ticket_.store(0, std::memory_order_relaxed);
  generation_.store(generation + 1);
  if (parked_.load() > 0) generation_.notify_all();
}

ThreadTeam::ThreadTeam(int threads, bool background) : barrier_(ticket_), waited_(threads), crowding_(threads) {
  for (int i = 0; i < threads; ++i) {
    scratch_.push_back(std::make_unique_for_overwrite<Scratch>());
    workers_.push_back({i, threads, &barrier_, &ticket_, scratch_[i]->bytes, kScratchBytes});
  }
  try {
    for (int i = 1; i < threads; ++i) threads_.emplace_back([this, i, background] { serve(i, background); });
  } catch (const std::system_error& error) {
    const size_t started = threads_.size() + 1;
    stop();
    throw Error("KV_NATIVE",
                text("threads: this system gave ", started, " of ", threads, " (", error.what(), "); load with fewer"));
  }
}

ThreadTeam::~ThreadTeam() { stop(); }

void ThreadTeam::stop() {
  stopping_ = true;
  epoch_.fetch_add(kThreadLimit);
  epoch_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadTeam::run(const std::function<void(const Worker&)>& task) {
  const int64_t begin = now_ns();
  task_ = &task;
  const int active = crowding_.threads_at(begin);
  barrier_.set_count(active);
  for (int i = 0; i < active; ++i) workers_[i].count = active;
  const uint32_t number = epoch_.load(std::memory_order_relaxed) / kThreadLimit + 1;
  epoch_.store(number * kThreadLimit + static_cast<uint32_t>(active));
  if (active > 1 && parked_.load() > 0) epoch_.notify_all();
  work(0);

  int64_t lost = 0;
  for (int i = 0; i < active; ++i) lost = std::max(lost, waited_[i].ns);
  const int64_t end = now_ns();
  crowding_.record(end, end - begin, lost);
}

void ThreadTeam::work(int index) {
  waited_ns = 0;
  (*task_)(workers_[index]);
  waited_[index].ns = waited_ns;
  workers_[index].sync();
}

void ThreadTeam::serve(int index, bool background) {
  if (background) lower_priority();
  uint32_t seen = 0;
  while (true) {
    wait_while_equal(epoch_, seen, parked_);
    seen = epoch_.load();
    if (stopping_) return;
    if (index < static_cast<int>(seen % kThreadLimit)) work(index);
  }
}

}  // namespace kvasir
