// Laying out columns, filling panels, running the tiles of scripts/make-tiles.cjs: see gemm_block.h.

#include "native/cpu/gemm_block.h"

#if KVASIR_VECTORS

#include "linear_tiles.h"
#include "native/cpu/panel_lanes.h"

namespace kvasir::cpu::KVASIR_ISA {
namespace {

constexpr int64_t kActivationBytes = 384 << 10;  // of a block of columns, in L2
constexpr int64_t kMostColumns = 264;
constexpr int64_t kShortRow =
    2048;  // values of activations that tiles read where they lie: few pages hold six such rows
constexpr int64_t kFewestColumns = 48;  // fewer and unpacking would weigh more than reading activations from L3

Kind kind_of(Dtype dtype) {
#if KVASIR_NEON
  if (dtype == Dtype::q8_0) return k_bytes;
#endif
#if KVASIR_VNNI || KVASIR_NEON
  return format_of(dtype).halves ? k_halves : format_of(dtype).minimum ? k_minimum : k_zero;
#else
  switch (dtype) {
    case Dtype::q4_0:
      return k_u4_zero;
    case Dtype::q4_1:
    case Dtype::q4_k:
      return k_u4_minimum;
    case Dtype::q5_0:
      return k_u5_zero;
    case Dtype::q8_0:
      return k_wide;
    case Dtype::q6_k:
      return k_halves;
    default:
      return k_u5_minimum;
  }
#endif
}

// 32-bit words a column has in a column record.
int64_t words_of(Dtype dtype) { return is_wide(dtype) ? 1 : format_of(dtype).halves ? 3 : 2; }

// Columns of the next tile when `left` remain: sixes, but no tile of one or two behind them.
int64_t tile_columns(int64_t left) {
  if (left == 7 || left == 8) return 4;
  return left < kTileColumns ? left : kTileColumns;
}

#if KVASIR_NEON
int32_t sum16(const int8_t* q) { return vaddlvq_s8(load16(q)); }
#else
int32_t sum16(const int8_t* q) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(q));
  const __m128i quads = _mm_madd_epi16(_mm_maddubs_epi16(_mm_set1_epi8(1), bytes), _mm_set1_epi16(1));
  const __m128i two = _mm_add_epi32(quads, _mm_shuffle_epi32(quads, 0x4e));
  return _mm_cvtsi128_si32(two) + _mm_extract_epi32(two, 1);
}
#endif

// Writes what the tiles need of each column: see scripts/make-tiles.cjs. The record of group g of a tile of C columns
// lies C·words·g words after the tile's first.
void write_records(const Rows& rows, Dtype dtype, const GemmBlock& block) {
  const int64_t groups = rows.dim / kGroup;
  const int64_t words = words_of(dtype);
  const Format format = format_of(dtype);
  for (int64_t column = 0, width; column < block.columns; column += width) {
    width = tile_columns(block.columns - column);
    for (int64_t c = 0; c < width; ++c) {
      const uint8_t* x = rows.data + (block.first + column + c) * rows.stride;
      const int8_t* q = reinterpret_cast<const int8_t*>(x);
      const float* scale = reinterpret_cast<const float*>(x + rows.dim);
      const int32_t* sum = reinterpret_cast<const int32_t*>(x + rows.dim + rows.dim / 8);
      int32_t* record = block.records + column * words * groups + c;
      for (int64_t g = 0; g < groups; ++g, record += width * words) {
        memcpy(record, &scale[g], sizeof scale[g]);
        if (words == 3) {
          const int32_t second = sum16(q + g * kGroup + 16);
          record[width] = -format.zero * (sum[g] - second);
          record[2 * width] = -format.zero * second;
        } else if (format.minimum) {
          const float scaled = scale[g] * float(sum[g]);
          memcpy(record + width, &scaled, sizeof scaled);
        } else if (words == 2) {
          record[width] = -format.zero * sum[g];
        }
      }
    }
  }
}

using Bytes16 = int8_t __attribute__((vector_size(16)));
using Shorts16 = int16_t __attribute__((vector_size(32)));

void copy_activations(const Rows& rows, Dtype dtype, const GemmBlock& block, uint8_t* copy) {
  const int64_t piece = block.piece * kGroup;
  for (int64_t c = 0; c < block.columns; ++c) {
    const uint8_t* q = rows.data + (block.first + c) * rows.stride;
    for (int64_t k = 0; k < rows.dim; k += piece) {
      const int64_t some = k + piece < rows.dim ? piece : rows.dim - k;
      if (is_wide(dtype)) {
        int16_t* out = reinterpret_cast<int16_t*>(copy) + k * block.columns + c * some;
        for (int64_t i = 0; i < some; i += 16) {
          Bytes16 bytes;
          memcpy(&bytes, q + k + i, sizeof bytes);
          const Shorts16 wide = __builtin_convertvector(bytes, Shorts16);
          memcpy(out + i, &wide, sizeof wide);
        }
      } else {
        uint8_t* out = copy + k * block.columns + c * some;
        for (int64_t i = 0; i < some; i += 32) memcpy(out + i, q + k + i, 32);
      }
    }
  }
}

// Weights that are wanted next, asked for a little with every group of every tile.
struct Ahead {
  const uint8_t* at;
  int64_t step;
};

int64_t tiles_of(int64_t columns) {
  int64_t tiles = 0;
  for (; columns > 0; columns -= tile_columns(columns)) ++tiles;
  return tiles;
}

// `next` spread over the multiplication of a panel.
Ahead ahead_of(NextWeights next, int64_t groups, int64_t columns) {
  return {next.data, next.bytes ? next.bytes / (tiles_of(columns) * groups) + 1 : 0};
}

// sums[column][row] += panel · activations, over groups [group, group + groups).
void multiply(Dtype dtype, const GemmBlock& block, int64_t all_groups, const uint8_t* panel, int64_t group,
              int64_t groups, Ahead& ahead, float* sums) {
  const TileFunction* tiles = kTiles[kind_of(dtype)];
  const int64_t words = words_of(dtype);
  const int64_t stride = block.stride ? block.stride : groups * kGroup * (is_wide(dtype) ? 2 : 1);
  const int64_t columns = block.stride ? 1 : block.columns;
  const uint8_t* q = block.activations + group * kGroup * columns * (is_wide(dtype) ? 2 : 1);
  for (int64_t column = 0, width; column < block.columns; column += width) {
    width = tile_columns(block.columns - column);
    const int32_t* record = block.records + (column * all_groups + group * width) * words;
    tiles[width - 1](panel, q + column * stride, stride, record, sums + column * kPanelRows, groups, ahead.at,
                     ahead.step, group == 0 ? 0 : -1);
    ahead.at += ahead.step * groups;
  }
}

}  // namespace

int64_t gemm_column_bytes(Dtype dtype, int64_t dim) {
  return dim / kGroup * words_of(dtype) * 4 + dim * (is_wide(dtype) ? 2 : 1);
}

int64_t gemm_block_columns(const Rows& x, int64_t column_bytes, int64_t room) {
  int64_t most = kActivationBytes / x.dim;
  if (most < kFewestColumns) most = kFewestColumns;
  if (most > kMostColumns) most = kMostColumns;
  if (most > room / column_bytes) most = room / column_bytes;
  const int64_t blocks = (x.rows + most - 1) / most;
  return ((x.rows + blocks - 1) / blocks + kTileColumns - 1) / kTileColumns * kTileColumns;
}

void lay_out_block(const Rows& x, Dtype dtype, uint8_t* free, GemmBlock& block) {
  block.piece = kPanelBytes / panel_record_bytes(dtype) / 8 * 8;
  block.records = reinterpret_cast<int32_t*>(free);
  const int64_t record_bytes = block.columns * (x.dim / kGroup) * words_of(dtype) * 4;
  write_records(x, dtype, block);
  if (!is_wide(dtype) && x.dim <= kShortRow) {
    block.activations = x.data + block.first * x.stride;
    block.stride = x.stride;
    return;
  }
  uint8_t* copy = free + (record_bytes + 63) / 64 * 64;
  copy_activations(x, dtype, block, copy);
  block.activations = copy;
  block.stride = 0;
}

void multiply_panel(const Weight& w, int32_t row, int32_t end, const GemmBlock& block, NextWeights next, uint8_t* panel,
                    float* sums) {
  const int64_t groups = w.cols / kGroup;
  Ahead ahead = ahead_of(next, groups, block.columns);
#if !defined(__AVX512VNNI__)
  memset(sums, 0, size_t(block.columns * kPanelRows) * sizeof(float));
#endif
  for (int64_t g = 0; g < groups; g += block.piece) {
    const int64_t some = g + block.piece < groups ? block.piece : groups - g;
    for (int32_t strip = row; strip < end; strip += kStrip) {
      const int32_t first = strip + kStrip <= w.rows ? strip : w.rows - kStrip;
      fill_panel(w, first, g, some, strip - row, panel);
    }
    multiply(w.dtype, block, groups, panel, g, some, ahead, sums);
  }
}

}  // namespace kvasir::cpu::KVASIR_ISA

#endif
