// Each value of the file's blocks is unpacked to its unsigned (q8_0: signed) level and put where pack.h says.
#include "native/cuda/pack.h"

#include <cstring>

#include "native/base/check.h"
#include "native/formats/k_scales.h"

namespace kvasir::cuda {
namespace {

uint16_t half_at(const uint8_t* at) {
  uint16_t bits;
  std::memcpy(&bits, at, sizeof bits);
  return bits;
}

int nibble(const uint8_t* bytes, int i) { return i < 16 ? bytes[i] & 15 : bytes[i - 16] >> 4; }

// The 32 levels of one group; what is not there has level 0 and scale 0.
struct Group {
  uint8_t level[32] = {};
  uint16_t d = 0, m = 0;           // formats with blocks of 32
  uint8_t scale[2] = {}, min = 0;  // K-quants
};

Group read_k(Dtype dtype, const uint8_t* block, int g) {
  Group group;
  if (dtype == Dtype::q6_k) {
    const uint8_t *low = block + g / 4 * 64 + g % 2 * 32, *high = block + 128 + g / 4 * 32;
    for (int i = 0; i < 32; ++i)
      group.level[i] = static_cast<uint8_t>((low[i] >> g % 4 / 2 * 4 & 15) | (high[i] >> g % 4 * 2 & 3) << 4);
    group.scale[0] = block[192 + 2 * g];
    group.scale[1] = block[193 + 2 * g];
    return group;
  }
  const bool five = dtype == Dtype::q5_k;
  const KScales k = unpack_scales(block + 4);
  const uint8_t *high = block + 16, *low = block + (five ? 48 : 16) + g / 2 * 32;
  for (int i = 0; i < 32; ++i)
    group.level[i] = static_cast<uint8_t>((low[i] >> g % 2 * 4 & 15) | (five ? (high[i] >> g & 1) << 4 : 0));
  group.scale[0] = k.scale[g];
  group.min = k.min[g];
  return group;
}

Group read_group(Dtype dtype, const uint8_t* row, int64_t index) {
  const Block block = block_of(dtype);
  if (block.values == 256) return read_k(dtype, row + index / 8 * block.bytes, static_cast<int>(index % 8));
  const uint8_t* at = row + index * block.bytes;
  Group group;
  group.d = half_at(at);
  group.m = half_at(at + 2);  // meaningful only with a minimum
  switch (dtype) {
    case Dtype::q8_0:
      std::memcpy(group.level, at + 2, 32);
      return group;
    case Dtype::q4_0:
    case Dtype::q4_1:
      for (int i = 0; i < 32; ++i)
        group.level[i] = static_cast<uint8_t>(nibble(at + (dtype == Dtype::q4_0 ? 2 : 4), i));
      return group;
    default: {
      const uint8_t* high = at + (dtype == Dtype::q5_0 ? 2 : 4);
      for (int i = 0; i < 32; ++i)
        group.level[i] = static_cast<uint8_t>(nibble(high + 4, i) | (high[i / 8] >> i % 8 & 1) << 4);
      return group;
    }
  }
}

void put16(uint8_t* at, uint16_t value) { std::memcpy(at, &value, sizeof value); }

// Row r (0 … 15) of the panel, group `index` of it.
void put_group(Dtype dtype, const PanelShape& shape, uint8_t* panel, int r, int64_t index, const Group& group) {
  const int64_t span = index / 2;
  const int half = static_cast<int>(index % 2), g = r % 8, low_row = r / 8;
  uint8_t* quants = panel + span * shape.quants;
  uint8_t* high = panel + shape.high_at + span * shape.high;
  for (int k = 0; k < 32; ++k) {
    const int lane = g * 4 + k % 16 / 4, byte = k % 4, reg = k / 16 * 2 + low_row;
    const uint8_t level = group.level[k];
    if (dtype == Dtype::q8_0) {
      quants[(half * 32 + lane) * 16 + reg * 4 + byte] = level;
      continue;
    }
    quants[(lane * 2 + half) * 8 + k / 16 * 4 + byte] |= static_cast<uint8_t>((level & 15) << low_row * 4);
    if (dtype == Dtype::q6_k)
      high[(lane * 2 + half) * 4 + byte] |= static_cast<uint8_t>(level >> 4 << reg * 2);
    else if (shape.high)
      high[lane * 4 + byte] |= static_cast<uint8_t>(level >> 4 << (half * 4 + reg));
  }
  const bool minimum = dtype == Dtype::q4_1 || dtype == Dtype::q5_1;
  uint8_t* scales = panel + shape.scales_at + span * shape.scales + (half * 8 + g) * (minimum ? 8 : 4);
  if (dtype == Dtype::q6_k) {
    scales[low_row] = group.scale[0];
    scales[2 + low_row] = group.scale[1];
  } else if (shape.supers) {
    scales[low_row] = group.scale[0];
    scales[2 + low_row] = group.min;
  } else {
    put16(scales + low_row * 2, group.d);
    if (minimum) put16(scales + 4 + low_row * 2, group.m);
  }
}

void pack_row(const Weight& from, int64_t row, const PanelShape& shape, uint8_t* panel) {
  const uint8_t* bytes = from.data + row * from.row_bytes;
  const int r = static_cast<int>(row % kPanelRows);
  for (int64_t g = 0; g < from.cols / kGroup; ++g)
    put_group(from.dtype, shape, panel, r, g, read_group(from.dtype, bytes, g));
  for (int64_t b = 0; shape.supers && b < from.cols / 256; ++b) {
    const uint8_t* block = bytes + b * block_of(from.dtype).bytes;
    uint8_t* supers = panel + shape.supers_at + b * shape.supers;
    if (from.dtype == Dtype::q6_k) {
      put16(supers + r % 8 * 4 + r / 8 * 2, half_at(block + 208));
    } else {
      put16(supers + r % 8 * 8 + r / 8 * 2, half_at(block));
      put16(supers + r % 8 * 8 + 4 + r / 8 * 2, half_at(block + 2));
    }
  }
}

}  // namespace

int64_t panel_bytes(Dtype dtype, int64_t cols) {
  return is_quantised(dtype) ? panel_shape(dtype, cols).bytes : kPanelRows * row_bytes(dtype, cols);
}
int64_t packed_bytes(Dtype dtype, int64_t rows, int64_t cols) { return panels_of(rows) * panel_bytes(dtype, cols); }

void pack_panels(const Weight& from, int64_t first, int64_t end, uint8_t* out) {
  const int64_t bytes = panel_bytes(from.dtype, from.cols);
  KV_CHECK(first >= 0 && end <= panels_of(from.rows), "INTERNAL", "pack_panels: ", first, " to ", end, " of ",
           panels_of(from.rows));
  const PanelShape shape = panel_shape(from.dtype, from.cols);
  std::memset(out, 0, (end - first) * bytes);
  for (int64_t row = first * kPanelRows; row < end * kPanelRows && row < from.rows; ++row) {
    uint8_t* panel = out + (row / kPanelRows - first) * bytes;
    if (is_quantised(from.dtype))
      pack_row(from, row, shape, panel);
    else
      std::memcpy(panel + row % kPanelRows * row_bytes(from.dtype, from.cols), from.data + row * from.row_bytes,
                  row_bytes(from.dtype, from.cols));
  }
}

}  // namespace kvasir::cuda
