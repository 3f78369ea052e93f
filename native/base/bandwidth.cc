#include "native/base/bandwidth.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

#include "native/base/anonymous_memory.h"
#include "native/base/thread_team.h"

namespace kvasir {
namespace {

constexpr int64_t kBytes = int64_t{128} << 20;  // beyond the caches of most machines
constexpr int kRounds = 6;                      // the first of which brings the pages

using Clock = std::chrono::steady_clock;

}  // namespace

double read_bandwidth(int threads) {
  const AnonymousMemory memory(kBytes, AnonymousMemory::kHugePages);
  const auto* words = reinterpret_cast<const uint64_t*>(memory.data());
  ThreadTeam team(threads, false);
  std::vector<uint64_t> sums(static_cast<size_t>(threads) *
                             8);  // a cache line each: they must be used, or nothing is read
  team.run([&](const Worker& worker) {
    const Range share = worker.share(kBytes, 4096);
    std::memset(memory.data() + share.begin, 1, share.end - share.begin);
  });
  double best = 0;
  for (int round = 0; round < kRounds; ++round) {
    const auto begin = Clock::now();
    team.run([&](const Worker& worker) {
      const Range share = worker.share(kBytes / 8, 512);
      uint64_t sum[8] = {};  // apart, so that no addition waits for another
      for (int64_t i = share.begin; i < share.end; i += 8) {
        for (int j = 0; j < 8; ++j) sum[j] += words[i + j];
      }
      for (const uint64_t one : sum) sums[worker.index * 8] += one;
    });
    const std::chrono::duration<double> seconds = Clock::now() - begin;
    best = std::max(best, kBytes / seconds.count());
  }
  const volatile uint64_t used = sums[0];
  static_cast<void>(used);
  return best;
}

}  // namespace kvasir
