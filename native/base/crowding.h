// Tells a team how many of its threads to use. When a host gives a core to another program, every barrier waits for the
// thread that lost it, and two threads can be slower than one by far. A team whose threads wait for more than two fifths
// of the time, twice in a row, does without one of them for a while, then tries again. For a short while: to try costs a
// step, and a crowd that has gone, as when hundreds of requests arrive together, leaves a core idle until then.
#pragma once

#include <algorithm>
#include <cstdint>

namespace kvasir {

class Crowding {
 public:
  explicit Crowding(int threads) : threads_(threads), active_(threads) {}

  // Threads for a task that begins at `now` (ns).
  int threads_at(int64_t now) {
    if (active_ < threads_ && now >= retry_at_) {
      active_ = threads_;
      busy_ = lost_ = 0;
      tried_at_ = now;
      crowded_ = kVerdicts - 1;  // it was crowded a moment ago: one verdict is enough
    }
    return active_;
  }

  // A task took `elapsed` ns until `now`, and the thread that waited most waited `lost` of them.
  void record(int64_t now, int64_t elapsed, int64_t lost) {
    if (active_ == 1) return;
    busy_ += elapsed;
    lost_ += lost;
    if (busy_ < kWindow) return;
    crowded_ = lost_ * 5 > busy_ * 2 ? crowded_ + 1 : 0;
    if (crowded_ == kVerdicts) {
      crowded_ = 0;
      --active_;
      retry_at_ = now + pause_;
      pause_ = std::min(2 * pause_, kLongestPause);
    } else if (now - tried_at_ > kCalm) {
      pause_ = kShortestPause;
    }
    busy_ = lost_ = 0;
  }

 private:
  static constexpr int64_t kMs = 1'000'000;
  static constexpr int64_t kWindow = 10 * kMs;  // of computing, before a verdict
  static constexpr int kVerdicts = 2;           // against the team, one after the other
  static constexpr int64_t kShortestPause = 50 * kMs;
  static constexpr int64_t kLongestPause = 300 * kMs;
  static constexpr int64_t kCalm = 500 * kMs;  // undisturbed for so long: the crowd is gone

  const int threads_;
  int active_;
  int crowded_ = 0;
  int64_t busy_ = 0;
  int64_t lost_ = 0;
  int64_t retry_at_ = 0;
  int64_t tried_at_ = 0;
  int64_t pause_ = kShortestPause;
};

}  // namespace kvasir
