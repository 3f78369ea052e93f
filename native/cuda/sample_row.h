// What a block does with a vocabulary of logits: the best, sums of weights, the threshold of top-k and top-p, and the walk
// to a drawn id.
//
// An entry is its logit as an integer that is in order as the logits are, with the smaller id before the larger among
// equals: all entries differ. Weights are e^((logit − largest) / temperature) in units of 2⁻⁴⁴, so their sums are exact and
// no order of threads shows in what is drawn.
#pragma once

#include "native/cuda/contract.h"
#include "native/cuda/numbers.h"
#include "native/cuda/tiles.h"

namespace kvasir::cuda {

using Entry = unsigned long long;
using Mass = unsigned long long;

constexpr int kSampleWarps = kSampleThreads / 32, kBins = 256, kBinCopies = 8;
constexpr float kMassUnit = 0x1p44f;

struct SampleShared {
  Mass bins[kBins][kBinCopies];  // copies, so that lanes do not queue for one address
  Mass parts[kSampleWarps];
  Mass result[2];
};
static_assert(sizeof(SampleShared) <= kSampleSharedBytes);

__device__ __forceinline__ SampleShared& sample_shared() { return *reinterpret_cast<SampleShared*>(shared_memory()); }

// NaN is taken for −∞, and −0 for 0.
__device__ __forceinline__ Entry entry_of(float logit, int id) {
  const uint32_t bits = __float_as_uint(logit == logit ? logit + 0.0f : -INFINITY);
  const uint32_t key = bits >> 31 ? ~bits : bits | 0x80000000u;
  return Entry{key} << 32 | (0xFFFFFFFFu - static_cast<uint32_t>(id));
}
__device__ __forceinline__ int id_of(Entry entry) {
  return static_cast<int>(0xFFFFFFFFu - static_cast<uint32_t>(entry));
}

// Over the block; every thread gets the result.
template <typename Combine>
__device__ __forceinline__ Mass over_block(Mass x, Combine combine) {
  SampleShared& shared = sample_shared();
#pragma unroll
  for (int by = 16; by > 0; by /= 2) x = combine(x, __shfl_xor_sync(kAllLanes, x, by));
  __syncthreads();
  if (threadIdx.x % 32 == 0) shared.parts[threadIdx.x / 32] = x;
  __syncthreads();
  Mass all = shared.parts[0];
  for (int warp = 1; warp < kSampleWarps; ++warp) all = combine(all, shared.parts[warp]);
  return all;
}
__device__ __forceinline__ Mass block_max(Mass x) {
  return over_block(x, [](Mass a, Mass b) { return a > b ? a : b; });
}
__device__ __forceinline__ Mass block_sum(Mass x) {
  return over_block(x, [](Mass a, Mass b) { return a + b; });
}

__device__ __forceinline__ Mass mass_of(float logit, float most, float by) {
  return static_cast<Mass>(exp_of((logit - most) * by) * kMassUnit);
}

// The largest entry below `before`.
template <typename Logit>
__device__ __forceinline__ Entry best_entry(Logit logit, int vocab, Entry before) {
  Entry best = 0;
  for (int i = static_cast<int>(threadIdx.x); i < vocab; i += kSampleThreads) {
    const Entry entry = entry_of(logit(i), i);
    if (entry > best && entry < before) best = entry;
  }
  return block_max(best);
}

template <typename Measure>
__device__ __forceinline__ Mass total_mass(Measure measure, int vocab) {
  Mass sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < vocab; i += kSampleThreads) sum += measure(i);
  return block_sum(sum);
}

// By the first warp: the highest bin such that it and those above it hold `target` or more; what is above it.
__device__ __forceinline__ void pick_bin(Mass target) {
  SampleShared& shared = sample_shared();
  constexpr int kEach = kBins / 32;
  const int lane = static_cast<int>(threadIdx.x), first = kBins - 1 - lane * kEach;
  Mass mine[kEach], sum = 0;
  for (int i = 0; i < kEach; ++i) {
    mine[i] = 0;
    for (int copy = 0; copy < kBinCopies; ++copy) mine[i] += shared.bins[first - i][copy];
    sum += mine[i];
  }
  Mass upto = sum;  // of this lane's bins and all above
  for (int by = 1; by < 32; by *= 2) {
    const Mass other = __shfl_up_sync(kAllLanes, upto, by);
    if (lane >= by) upto += other;
  }
  const unsigned reached = __ballot_sync(kAllLanes, upto >= target);
  const int chosen = reached ? __ffs(static_cast<int>(reached)) - 1 : 31;
  if (lane != chosen) return;
  Mass above = upto - sum;
  int bin = 0;
  while (bin < kEach - 1 && above + mine[bin] < target) above += mine[bin++];
  shared.result[0] = static_cast<Mass>(first - bin);
  shared.result[1] = above;
}

// The largest entry such that it and all larger ones measure `target` or more (≥ 1): a byte of it at a time.
template <typename Logit, typename Measure>
__device__ __forceinline__ Entry threshold(Logit logit, Measure measure, int vocab, Mass target) {
  SampleShared& shared = sample_shared();
  Entry prefix = 0;
  for (int shift = 56; shift >= 0; shift -= 8) {
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < kBins * kBinCopies; i += kSampleThreads)
      shared.bins[i / kBinCopies][i % kBinCopies] = 0;
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < vocab; i += kSampleThreads) {
      const Entry entry = entry_of(logit(i), i);
      if (shift < 56 && entry >> (shift + 8) != prefix) continue;
      const Mass mass = measure(i);
      if (mass) atomicAdd(&shared.bins[entry >> shift & (kBins - 1)][threadIdx.x % kBinCopies], mass);
    }
    __syncthreads();
    if (threadIdx.x < 32) pick_bin(target);
    __syncthreads();
    prefix = prefix << 8 | shared.result[0];
    target -= shared.result[1];
  }
  return prefix;
}

// The smallest id such that the measures up to and with it are more than `target`.
template <typename Measure>
__device__ __forceinline__ int walk(Measure measure, int vocab, Mass target) {
  SampleShared& shared = sample_shared();
  const int warp = static_cast<int>(threadIdx.x / 32), lane = static_cast<int>(threadIdx.x % 32);
  int begin = 0, end = vocab;
  while (true) {
    // A part of the range to each warp, until a part is a value a lane.
    const int each = max((end - begin + kSampleWarps - 1) / kSampleWarps, 32);
    const int from = min(begin + warp * each, end), to = min(from + each, end);
    Mass sum = 0;
    for (int i = from + lane; i < to; i += 32) sum += measure(i);
#pragma unroll
    for (int by = 16; by > 0; by /= 2) sum += __shfl_xor_sync(kAllLanes, sum, by);
    __syncthreads();
    if (lane == 0) shared.parts[warp] = sum;
    __syncthreads();
    int part = 0;
    while (part < kSampleWarps - 1 && shared.parts[part] <= target) target -= shared.parts[part++];
    end = min(begin + (part + 1) * each, end);
    begin += part * each;
    if (each > 32) continue;
    Mass upto = begin + lane < end ? measure(begin + lane) : 0;
    for (int by = 1; by < 32; by *= 2) {
      const Mass other = __shfl_up_sync(kAllLanes, upto, by);
      if (lane >= by) upto += other;
    }
    const unsigned reached = __ballot_sync(kAllLanes, upto > target);
    return begin + (reached ? __ffs(static_cast<int>(reached)) - 1 : 0);
  }
}

}  // namespace kvasir::cuda
