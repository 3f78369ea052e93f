// What formats cost a token: on the step's own path, and beside it.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <mutex>

namespace kvasir::grammar {

// Durations in buckets that grow by a fourth of an octave from 0.1 µs.
class Durations {
 public:
  void add(std::chrono::nanoseconds time) {
    const double us = static_cast<double>(time.count()) / 1000;
    const double bucket = us <= kLeast ? 0 : 1 + 4 * std::log2(us / kLeast);
    std::lock_guard lock(mutex_);
    ++counts_[std::min<size_t>(counts_.size() - 1, static_cast<size_t>(bucket))];
    ++count_;
    total_us_ += us;
  }

  struct Summary {
    int64_t count = 0;
    double total_us = 0, median_us = 0, p99_us = 0;  // of a bucket, its upper end
  };
  Summary summary() const {
    std::lock_guard lock(mutex_);
    return {count_, total_us_, quantile(0.5), quantile(0.99)};
  }

 private:
  static constexpr double kLeast = 0.1;

  double quantile(double share) const {
    int64_t seen = 0;
    for (size_t i = 0; i < counts_.size(); ++i)
      if ((seen += counts_[i]) > 0 && static_cast<double>(seen) >= share * static_cast<double>(count_))
        return kLeast * std::exp2(static_cast<double>(i) / 4);
    return 0;
  }

  mutable std::mutex mutex_;
  std::array<int64_t, 96> counts_{};
  int64_t count_ = 0;
  double total_us_ = 0;
};

struct Timings {
  Durations path;    // of a token: what the sampler waits for its mask, and moving past the token
  Durations beside;  // masks that were found while a step ran
};

}  // namespace kvasir::grammar
