// The 12 bytes in which q4_k and q5_k keep eight 6-bit scales and eight 6-bit minimums.
//
//   bytes 0…3    bits 0…5: scale 0…3      bits 6…7: the high bits of scale 4…7
//   bytes 4…7    bits 0…5: minimum 0…3    bits 6…7: the high bits of minimum 4…7
//   bytes 8…11   bits 0…3: the low bits of scale 4…7    bits 4…7: the low bits of minimum 4…7
#pragma once

#include <cstdint>

namespace kvasir {

constexpr int kScaleBytes = 12;

struct KScales {
  uint8_t scale[8];
  uint8_t min[8];
};

inline KScales unpack_scales(const uint8_t* bytes) {
  KScales k;
  for (int i = 0; i < 4; ++i) {
    k.scale[i] = bytes[i] & 63;
    k.min[i] = bytes[4 + i] & 63;
    k.scale[4 + i] = static_cast<uint8_t>((bytes[8 + i] & 15) | bytes[i] >> 6 << 4);
    k.min[4 + i] = static_cast<uint8_t>(bytes[8 + i] >> 4 | bytes[4 + i] >> 6 << 4);
  }
  return k;
}

inline void pack_scales(const KScales& k, uint8_t* bytes) {
  for (int i = 0; i < 4; ++i) {
    bytes[i] = static_cast<uint8_t>(k.scale[i] | k.scale[4 + i] >> 4 << 6);
    bytes[4 + i] = static_cast<uint8_t>(k.min[i] | k.min[4 + i] >> 4 << 6);
    bytes[8 + i] = static_cast<uint8_t>((k.scale[4 + i] & 15) | (k.min[4 + i] & 15) << 4);
  }
}

}  // namespace kvasir
