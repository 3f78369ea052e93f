// Philox 4x32-10, a counter-based generator (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): a
// draw is a function of key and counter, so that a retry or another batch draws the same.
#pragma once

#include <array>
#include <cstdint>

namespace kvasir::cpu {

inline std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53} * counter[0], b = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(a)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

// A uniform number in [0, 1) with 53 random bits for the token at `position` of a sequence with this seed.
inline double uniform_at(uint64_t seed, int32_t position) {
  const auto word = philox({static_cast<uint32_t>(position), 0, 0, 0},
                           {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  return ((word[0] >> 5) * 67108864.0 + (word[1] >> 6)) / 9007199254740992.0;
}

}  // namespace kvasir::cpu
