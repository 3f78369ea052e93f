// Philox 4x32-10, as native/cpu/sampling/philox.h: a draw is a function of seed and position.
#pragma once

#include "native/cuda/ptx.h"

namespace kvasir::cuda {

// A uniform number in [0, 1) with 53 random bits.
__device__ __forceinline__ double uniform_at(uint64_t seed, int32_t position) {
  uint32_t counter[4] = {static_cast<uint32_t>(position), 0, 0, 0};
  uint32_t key[2] = {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53} * counter[0], b = uint64_t{0xCD9E8D57} * counter[2];
    const uint32_t next[4] = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b),
                              static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(a)};
    for (int i = 0; i < 4; ++i) counter[i] = next[i];
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return ((counter[0] >> 5) * 67108864.0 + (counter[1] >> 6)) / 9007199254740992.0;
}

}  // namespace kvasir::cuda
