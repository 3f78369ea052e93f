// What formats cost a token: on the step's own path, and beside it.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstdint>
#include <mutex>

namespace kvasir::grammar {

// Durations in buckets of a fourth of a power of two, in nanoseconds.
class Durations {
 public:
  void add(std::chrono::nanoseconds time) {
    const auto ns = static_cast<uint64_t>(std::max<int64_t>(time.count(), kLeast));
    const int octave = std::bit_width(ns) - 3;  // so that two bits below the highest are the bucket's
    std::lock_guard lock(mutex_);
    ++counts_[octave * 4 + (ns >> octave & 3)];
    ++count_;
    total_us_ += static_cast<double>(time.count()) / 1000;
  }

  struct Summary {
    int64_t count = 0;
    double total_us = 0, median_us = 0, p99_us = 0;  // quantiles: the upper end of their bucket
  };
  Summary summary() const {
    std::lock_guard lock(mutex_);
    return {count_, total_us_, quantile(0.5), quantile(0.99)};
  }

 private:
  static constexpr int64_t kLeast = 4;

  double quantile(double share) const {
    int64_t seen = 0;
    for (size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > 0 && static_cast<double>(seen) >= share * static_cast<double>(count_))
        return static_cast<double>((4 + i % 4 + 1) << i / 4) / 1000;
    }
    return 0;
  }

  mutable std::mutex mutex_;
  std::array<int64_t, 64 * 4> counts_{};
  int64_t count_ = 0;
  double total_us_ = 0;
};

struct Timings {
  Durations path;    // of a token: what the sampler waits for its mask, and moving past the token
  Durations beside;  // masks that were found while a step ran
};

}  // namespace kvasir::grammar
