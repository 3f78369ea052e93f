// attention: who does what. Reference: test/reference/attention.ts
//
// With many sequences an item of work is (sequence, KV head, tile of tokens) and takes the splits of its context one
// after another. With few, an item is one split of such a tile; the parts meet in the workspace and are merged after a
// barrier. Both do the same arithmetic in the same order.
#include "native/cpu/attention_tile.h"
#include "native/cpu/kernels.h"

namespace kvasir::cpu::KVASIR_ISA {
namespace {

constexpr int kRuns = 4;  // of splits, for each thread

static_assert(sizeof(Buffers) <= kScratchBytes);

struct Plan {
  int tile_tokens;
  int chunks;  // of a KV head's query heads
  int chunk_heads;
  int splits = 1;   // taken apart for the threads; 1: a tile takes all of its own
  int at_once = 1;  // items that a thread takes together, since each asks for the pages of the next
};

int64_t tiles_of(const Attention& op, const Plan& plan, int sequence) {
  const int tokens = op.sequences.start[sequence + 1] - op.sequences.start[sequence];
  return (tokens + plan.tile_tokens - 1) / plan.tile_tokens;
}
int last_split(const Tile& tile) { return (tile.position + tile.tokens - 1) / kSplitTokens; }

float* part_of(const Attention& op, const Plan& plan, int token, int head, int split) {
  return op.workspace + ((int64_t{token} * op.heads + head) * plan.splits + split) * (padded_dim(op) + kLanes);
}

Plan make_plan(const Attention& op, const Worker& worker) {
  const int group = op.heads / op.kv.kv_heads;
  Plan plan;
  plan.chunks = (group + kMaxRows - 1) / kMaxRows;
  plan.chunk_heads = (group + plan.chunks - 1) / plan.chunks;
  plan.tile_tokens = kMaxRows / plan.chunk_heads;
  int64_t items = 0;
  int splits = 1;
  for (int s = 0; s < op.sequences.count; ++s) {
    items += tiles_of(op, plan, s) * op.kv.kv_heads * plan.chunks;
    const int last = op.sequences.position[s] + op.sequences.start[s + 1] - op.sequences.start[s] - 1;
    if (last / kSplitTokens + 1 > splits) splits = last / kSplitTokens + 1;
  }
  const int64_t needed = int64_t{op.qkv.rows} * op.heads * splits * (padded_dim(op) + kLanes) * 4;
  if (worker.count > 1 && items < 4 * worker.count && needed <= op.workspace_bytes) plan.splits = splits;
  if (items >= int64_t{8} * worker.count * op.kv.kv_heads)
    plan.at_once = op.kv.kv_heads * plan.chunks;
  else if (items * plan.splits > kRuns * worker.count)
    plan.at_once = static_cast<int>(items * plan.splits / (kRuns * worker.count));
  return plan;
}

// The tile as a whole: splits in ascending order, merged as they come.
void attend_tile(const Attention& op, const Tile& tile, Buffers& at) {
  const int rows = tile.tokens * tile.heads, padded = padded_dim(op);
  for (int r = 0; r < rows; ++r) at.total[r] = {-kInfinity, 0.0f};
  for (int i = 0; i < rows * padded; i += kLanes) store(at.total_acc + i, set1(0.0f));
  load_queries(op, tile, at);
  for (int split = first_visible(op, tile.position) / kSplitTokens; split <= last_split(tile); ++split) {
    attend_split(op, tile, split, at);
    for (int r = 0; r < rows; ++r)
      if (at.running[r].sum != 0)
        merge(at.running[r], at.acc + r * padded, padded, at.total + r, at.total_acc + r * padded);
  }
  for (int r = 0; r < rows; ++r)
    write_row(op, tile.token + r / tile.heads, tile.head + r % tile.heads, at.total[r], at.total_acc + r * padded);
}

void attend_part(const Attention& op, const Plan& plan, const Tile& tile, int split, Buffers& at) {
  const int padded = padded_dim(op);
  load_queries(op, tile, at);
  attend_split(op, tile, split, at);
  for (int r = 0; r < tile.tokens * tile.heads; ++r) {
    float* part = part_of(op, plan, tile.token + r / tile.heads, tile.head + r % tile.heads, split);
    __builtin_memcpy(part, at.running + r, sizeof(Running));
    for (int d = 0; d < padded; d += kLanes) store(part + kLanes + d, load(at.acc + r * padded + d));
  }
}

void merge_parts(const Attention& op, const Plan& plan, int token, int head, Buffers& at) {
  const int padded = padded_dim(op), s = op.sequences.of_token[token];
  const int position = op.sequences.position[s] + token - op.sequences.start[s];
  at.total[0] = {-kInfinity, 0.0f};
  for (int d = 0; d < padded; d += kLanes) store(at.total_acc + d, set1(0.0f));
  for (int split = first_visible(op, position) / kSplitTokens; split <= position / kSplitTokens; ++split) {
    const float* part = part_of(op, plan, token, head, split);
    Running running;
    __builtin_memcpy(&running, part, sizeof(running));
    merge(running, part + kLanes, padded, at.total, at.total_acc);
  }
  write_row(op, token, head, at.total[0], at.total_acc);
}

}  // namespace

void attention(const Attention& op, const Worker& worker) {
  const Plan plan = make_plan(op, worker);
  Buffers& at = *reinterpret_cast<Buffers*>(worker.scratch);
  const int group = op.heads / op.kv.kv_heads, per_tile = op.kv.kv_heads * plan.chunks * plan.splits;
  int s = 0;
  int64_t base = 0;
  int64_t item = 0;
  for (int left = 0;; --left, ++item) {
    if (left == 0) item = worker.next() * (left = plan.at_once);
    while (s < op.sequences.count && item - base >= tiles_of(op, plan, s) * per_tile)
      base += tiles_of(op, plan, s++) * per_tile;
    if (s == op.sequences.count) break;
    // Late tiles see more and go first, so that no thread is left with a long one at the end.
    const int index = static_cast<int>(tiles_of(op, plan, s) - 1 - (item - base) / per_tile);
    const int rest = static_cast<int>((item - base) % per_tile);
    const int split = rest % plan.splits, chunk = rest / plan.splits % plan.chunks;
    const int tokens = op.sequences.start[s + 1] - op.sequences.start[s], first = index * plan.tile_tokens;
    Tile tile;
    tile.sequence = s;
    tile.token = op.sequences.start[s] + first;
    tile.tokens = tokens - first < plan.tile_tokens ? tokens - first : plan.tile_tokens;
    tile.position = op.sequences.position[s] + first;
    tile.kv_head = rest / plan.splits / plan.chunks;
    tile.head = tile.kv_head * group + chunk * plan.chunk_heads;
    tile.heads =
        group - chunk * plan.chunk_heads < plan.chunk_heads ? group - chunk * plan.chunk_heads : plan.chunk_heads;
    if (plan.splits == 1)
      attend_tile(op, tile, at);
    else if (split >= first_visible(op, tile.position) / kSplitTokens && split <= last_split(tile))
      attend_part(op, plan, tile, split, at);
  }
  if (plan.splits == 1) return;
  worker.sync();
  const Range rows = worker.share(int64_t{op.qkv.rows} * op.heads);
  for (int64_t r = rows.begin; r < rows.end; ++r)
    merge_parts(op, plan, static_cast<int>(r / op.heads), static_cast<int>(r % op.heads), at);
}

}  // namespace kvasir::cpu::KVASIR_ISA
