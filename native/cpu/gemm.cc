// linear with quantised weights and many tokens. For each block of columns (tokens) that stays in L2, and each panel
// of rows: unpack the panel a piece of K at a time into L1, and run the tiles of scripts/make-tiles.cjs over all
// columns of the block, carrying the float sums from piece to piece.
//
//   scratch:  panel | sums [columns][kPanelRows] f32 | column records | activations [piece of K][columns][of it]
//
// Activations are copied (or widened to s16) so that a tile reads one run of memory instead of a page a column.

#include "native/cpu/linear_parts.h"

#if KVASIR_VECTORS

#include "linear_tiles.h"
#include "native/cpu/linear_output.h"
#include "native/cpu/panel.h"
#include "native/cpu/panel_lanes.h"

namespace kvasir::cpu::KVASIR_ISA {
namespace {

constexpr int64_t kPanelBytes = (kPanelRows == 32 ? 24 : 16) << 10;  // half an L1
constexpr int64_t kActivationBytes = 384 << 10;                      // of a block of columns, in L2
constexpr int64_t kMostColumns = 264;
constexpr int64_t kFewestColumns = 48;  // fewer and unpacking would weigh more than reading activations from L3

Kind kind_of(Dtype dtype) {
#if KVASIR_NEON
  if (dtype == Dtype::q8_0) return k_bytes;
#endif
#if defined(__AVX512VNNI__) || KVASIR_NEON
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

struct Block {
  int64_t first;    // token
  int64_t columns;  // tokens
  int64_t piece;    // groups
  float* sums;
  int32_t* records;
  uint8_t* activations;
};

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
void write_records(const Linear& op, Dtype dtype, const Block& block) {
  const int64_t groups = op.x.dim / kGroup;
  const int64_t words = words_of(dtype);
  const Format format = format_of(dtype);
  for (int64_t column = 0, width; column < block.columns; column += width) {
    width = tile_columns(block.columns - column);
    for (int64_t c = 0; c < width; ++c) {
      const uint8_t* x = op.x.data + (block.first + column + c) * op.x.stride;
      const int8_t* q = reinterpret_cast<const int8_t*>(x);
      const float* scale = reinterpret_cast<const float*>(x + op.x.dim);
      const int32_t* sum = reinterpret_cast<const int32_t*>(x + op.x.dim + op.x.dim / 8);
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

void copy_activations(const Linear& op, Dtype dtype, const Block& block) {
  const int64_t piece = block.piece * kGroup;
  for (int64_t c = 0; c < block.columns; ++c) {
    const uint8_t* q = op.x.data + (block.first + c) * op.x.stride;
    for (int64_t k = 0; k < op.x.dim; k += piece) {
      const int64_t some = k + piece < op.x.dim ? piece : op.x.dim - k;
      if (is_wide(dtype)) {
        int16_t* out = reinterpret_cast<int16_t*>(block.activations) + k * block.columns + c * some;
        for (int64_t i = 0; i < some; i += 16) {
          Bytes16 bytes;
          memcpy(&bytes, q + k + i, sizeof bytes);
          const Shorts16 wide = __builtin_convertvector(bytes, Shorts16);
          memcpy(out + i, &wide, sizeof wide);
        }
      } else {
        uint8_t* out = block.activations + k * block.columns + c * some;
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

// The panel from row `row` on, spread over the multiplication of the one before it.
Ahead ahead_of(const Weight& w, RowRange rows, int32_t row, int64_t columns) {
  if (row >= rows.end) return {w.data, 0};
  const int64_t left = rows.end - row;
  const int64_t bytes = (left < kPanelRows ? left : kPanelRows) * w.row_bytes;
  return {w.data + row * w.row_bytes, bytes / (tiles_of(columns) * (w.cols / kGroup)) + 1};
}

// sums[column][row] += panel · activations, over groups [group, group + groups).
void multiply(Dtype dtype, const Block& block, int64_t all_groups, const uint8_t* panel, int64_t group, int64_t groups,
              Ahead& ahead) {
  const TileFunction* tiles = kTiles[kind_of(dtype)];
  const int64_t words = words_of(dtype);
  const int64_t stride = groups * kGroup * (is_wide(dtype) ? 2 : 1);
  const uint8_t* q = block.activations + group * kGroup * block.columns * (is_wide(dtype) ? 2 : 1);
  for (int64_t column = 0, width; column < block.columns; column += width) {
    width = tile_columns(block.columns - column);
    const int32_t* record = block.records + (column * all_groups + group * width) * words;
    tiles[width - 1](panel, q + column * stride, stride, record, block.sums + column * kPanelRows, groups, ahead.at,
                     ahead.step);
    ahead.at += ahead.step * groups;
  }
}

// y of rows [begin, end), which lie in the panel from `lane` on.
void store_rows(const Linear& op, const Linear::Segment& segment, const Block& block, int32_t begin, int32_t end,
                int32_t lane) {
  for (int64_t c = 0; c < block.columns; ++c) {
    store_outputs(op, segment, block.first + c, begin, block.sums + c * kPanelRows + lane, end - begin);
  }
}

void multiply_rows(const Linear& op, const Linear::Segment& segment, RowRange rows, const Block& block,
                   uint8_t* panel) {
  const Weight& w = segment.w;
  const int64_t groups = w.cols / kGroup;
  const int64_t piece = block.piece;
  for (int32_t r = rows.begin; r < rows.end; r += kPanelRows) {
    const int32_t end = r + kPanelRows < rows.end ? r + kPanelRows : rows.end;
    Ahead ahead = ahead_of(w, rows, r + kPanelRows, block.columns);
    memset(block.sums, 0, size_t(block.columns * kPanelRows) * sizeof(float));
    for (int64_t g = 0; g < groups; g += piece) {
      const int64_t some = g + piece < groups ? piece : groups - g;
      // The last strip reaches back over rows that are done rather than past the matrix.
      for (int32_t strip = r; strip < end; strip += kStrip) {
        const int32_t first = strip + kStrip <= w.rows ? strip : w.rows - kStrip;
        fill_panel(w, first, g, some, strip - r, panel);
      }
      multiply(w.dtype, block, groups, panel, g, some, ahead);
    }
    // A strip that reached back has its rows further on in the panel.
    const int32_t whole = r + (end - r) / kStrip * kStrip;
    store_rows(op, segment, block, r, whole, 0);
    if (whole == end) continue;
    const int32_t back = whole + kStrip <= w.rows ? 0 : whole + kStrip - w.rows;
    store_rows(op, segment, block, whole, end, whole - r + back);
  }
}

int64_t column_bytes(Dtype dtype, int64_t dim) {
  return kPanelRows * 4 + dim / kGroup * words_of(dtype) * 4 + dim * (is_wide(dtype) ? 2 : 1);
}

}  // namespace

void gemm(const Linear& op, const RowRange* rows, const Worker& worker) {
  const int64_t dim = op.x.dim;
  int64_t bytes = 0;  // scratch of a column, of the greediest segment
  for (int s = 0; s < op.segments; ++s) {
    const int64_t mine = column_bytes(op.segment[s].w.dtype, dim);
    if (mine > bytes) bytes = mine;
  }
  int64_t most = kActivationBytes / dim;
  if (most < kFewestColumns) most = kFewestColumns;
  if (most > kMostColumns) most = kMostColumns;
  const int64_t room = (worker.scratch_bytes - kPanelBytes - 256) / bytes;
  if (most > room) most = room;
  // Equal blocks, in whole tiles.
  const int64_t blocks = (op.x.rows + most - 1) / most;
  const int64_t columns = ((op.x.rows + blocks - 1) / blocks + kTileColumns - 1) / kTileColumns * kTileColumns;

  for (int64_t first = 0; first < op.x.rows; first += columns) {
    Block block = {};
    block.first = first;
    block.columns = first + columns < op.x.rows ? columns : op.x.rows - first;
    uint8_t* free = worker.scratch + kPanelBytes;
    block.sums = reinterpret_cast<float*>(free);
    free += block.columns * kPanelRows * 4;
    Dtype written = Dtype::f32;
    for (int s = 0; s < op.segments; ++s) {
      if (rows[s].begin == rows[s].end) continue;
      const Dtype dtype = op.segment[s].w.dtype;
      if (dtype != written) {
        block.piece = kPanelBytes / panel_record_bytes(dtype) / 8 * 8;
        block.records = reinterpret_cast<int32_t*>(free);
        const int64_t record_bytes = block.columns * (dim / kGroup) * words_of(dtype) * 4;
        block.activations = free + (record_bytes + 63) / 64 * 64;
        write_records(op, dtype, block);
        copy_activations(op, dtype, block);
        written = dtype;
      }
      multiply_rows(op, op.segment[s], rows[s], block, worker.scratch);
    }
  }
}

}  // namespace kvasir::cpu::KVASIR_ISA

#endif
