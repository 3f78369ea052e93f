// attention: who does what. Reference: test/reference/attention.ts
//
// With many sequences an item of work is (sequence, KV head, tile of tokens) and takes the splits of its context one
// after another. With few, an item is one split of such a tile; the parts meet in the workspace and are merged after a
// barrier. Sequences that begin with the same pages have those behind them before that: see attention_families.h. All
// do the same arithmetic in the same order.
#include "native/cpu/attention_families.h"
#include "native/cpu/attention_tile.h"
#include "native/cpu/kernels.h"

namespace kvasir::cpu::KVASIR_ISA {
namespace {

constexpr int kRuns = 4;        // for each thread, of splits or of sequences of few rows …
constexpr int kLongestRun = 8;  // … which are that many at most

struct Scratch {
  Buffers buffers;
  Families families;
};
static_assert(sizeof(Scratch) <= kScratchBytes);

struct Plan {
  int tile_tokens;
  int chunks;  // of a KV head's query heads
  int chunk_heads;
  int splits = 1;   // taken apart for the threads; 1: a tile takes all of its own
  int at_once = 1;  // items that a thread takes together, since each asks for the pages of the next
  int family = 1;   // most sequences that go through shared pages together
};

int64_t tiles_of(const Attention& op, const Plan& plan, int sequence) {
  const int tokens = op.sequences.start[sequence + 1] - op.sequences.start[sequence];
  return (tokens + plan.tile_tokens - 1) / plan.tile_tokens;
}
// A tile of some of the query heads of a KV head; whose tokens, is for the caller to say.
Tile chunk_of(const Plan& plan, int group, int kv_head, int chunk) {
  Tile tile = {};
  const int left = group - chunk * plan.chunk_heads;
  tile.kv_head = kv_head;
  tile.head = kv_head * group + chunk * plan.chunk_heads;
  tile.heads = left < plan.chunk_heads ? left : plan.chunk_heads;
  return tile;
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
  const int64_t part_bytes = int64_t{op.qkv.rows} * op.heads * (padded_dim(op) + kLanes) * 4;
  if (worker.count > 1 && items < 4 * worker.count && part_bytes * splits <= op.workspace_bytes) plan.splits = splits;
  const int64_t run = items * plan.splits / (kRuns * worker.count), neighbours = op.kv.kv_heads * plan.chunks;
  if (plan.splits == 1 && splits > 1 && part_bytes <= op.workspace_bytes) {
    const int64_t fair = items / (2 * worker.count);  // else there would be too few families for the threads
    plan.family = static_cast<int>(fair < plan.tile_tokens ? fair : plan.tile_tokens);
  }
  if (plan.splits > 1)
    plan.at_once = static_cast<int>(run > 0 ? run : 1);
  else if (op.qkv.rows == op.sequences.count && run >= neighbours)
    plan.at_once = static_cast<int>((run < kLongestRun * neighbours ? run / neighbours : kLongestRun) * neighbours);
  else if (items >= 8 * worker.count * neighbours)
    plan.at_once = static_cast<int>(neighbours);
  return plan;
}

void keep(const Tile& tile, const Attention& op, const Plan& plan, int split, const Running* running,
          const float* acc) {
  const int padded = padded_dim(op);
  for (int r = 0; r < tile.tokens * tile.heads; ++r) {
    float* part = part_of(op, plan, tile.token + r / tile.heads, tile.head + r % tile.heads, split);
    __builtin_memcpy(part, running + r, sizeof(Running));
    for (int d = 0; d < padded; d += kLanes) store(part + kLanes + d, load(acc + r * padded + d));
  }
}

// Splits [begin, end) in ascending order, merged into the total as they come.
void attend_splits(const Attention& op, const Tile& tile, int begin, int end, Buffers& at) {
  const int rows = tile.tokens * tile.heads, padded = padded_dim(op);
  for (int split = begin; split < end; ++split) {
    attend_split(op, tile, split, at);
    for (int r = 0; r < rows; ++r)
      if (at.running[r].sum != 0)
        merge(at.running[r], at.acc + r * padded, padded, at.total + r, at.total_acc + r * padded);
  }
}

void begin_total(int rows, int padded, Buffers& at) {
  for (int r = 0; r < rows; ++r) at.total[r] = {-kInfinity, 0.0f};
  for (int i = 0; i < rows * padded; i += kLanes) store(at.total_acc + i, set1(0.0f));
}

// The tile as a whole. `behind`: splits that its family has behind it, whose total lies in the workspace.
void attend_tile(const Attention& op, const Plan& plan, const Tile& tile, int behind, Buffers& at) {
  const int rows = tile.tokens * tile.heads, padded = padded_dim(op);
  begin_total(rows, padded, at);
  for (int r = 0; behind > 0 && r < rows; ++r) {
    const float* part = part_of(op, plan, tile.token + r / tile.heads, tile.head + r % tile.heads, 0);
    __builtin_memcpy(at.total + r, part, sizeof(Running));
    for (int d = 0; d < padded; d += kLanes) store(at.total_acc + r * padded + d, load(part + kLanes + d));
  }
  load_queries(op, tile, at);
  const int first = first_visible(op, tile.position) / kSplitTokens;
  attend_splits(op, tile, first > behind ? first : behind, last_split(tile) + 1, at);
  for (int r = 0; r < rows; ++r)
    write_row(op, tile.token + r / tile.heads, tile.head + r % tile.heads, at.total[r], at.total_acc + r * padded);
}

// What families share, a KV head at a time.
void attend_shared(const Attention& op, const Plan& plan, const Families& families, const Worker& worker, Buffers& at) {
  const int group = op.heads / op.kv.kv_heads, per_family = op.kv.kv_heads * plan.chunks;
  int s = 0;
  int64_t base = 0;
  for (int64_t item = worker.next();; item = worker.next()) {
    while (s < op.sequences.count && (families.splits[s] == 0 || item - base >= per_family)) {
      if (families.splits[s] > 0) base += per_family;
      s += families.members[s];
    }
    if (s == op.sequences.count) return;
    const int rest = static_cast<int>(item - base), chunk = rest % plan.chunks;
    Tile tile = chunk_of(plan, group, rest / plan.chunks, chunk);
    tile.sequence = s;
    tile.token = op.sequences.start[s];
    tile.tokens = families.members[s];
    tile.streams = true;
    tile.position = op.sequences.position[s];
    for (int i = 1; i < families.members[s]; ++i)
      if (op.sequences.position[s + i] < tile.position) tile.position = op.sequences.position[s + i];
    begin_total(tile.tokens * tile.heads, padded_dim(op), at);
    load_queries(op, tile, at);
    attend_splits(op, tile, 0, families.splits[s], at);
    keep(tile, op, plan, 0, at.total, at.total_acc);
  }
}

void attend_part(const Attention& op, const Plan& plan, const Tile& tile, int split, Buffers& at) {
  load_queries(op, tile, at);
  attend_split(op, tile, split, at);
  keep(tile, op, plan, split, at.running, at.acc);
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
  Scratch& scratch = *reinterpret_cast<Scratch*>(worker.scratch);
  Buffers& at = scratch.buffers;
  Families& families = scratch.families;
  families.any = false;
  if (plan.family > 1) find_families(op, plan.family, families);
  if (families.any) {
    attend_shared(op, plan, families, worker, at);
    worker.sync();
  }
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
    Tile tile = chunk_of(plan, group, rest / plan.splits / plan.chunks, chunk);
    tile.sequence = s;
    tile.token = op.sequences.start[s] + first;
    tile.tokens = tokens - first < plan.tile_tokens ? tokens - first : plan.tile_tokens;
    tile.position = op.sequences.position[s] + first;
    tile.streams = tile.tokens * tile.heads <= kFewRows;
    if (plan.splits == 1)
      attend_tile(op, plan, tile, families.any ? families.splits[s] : 0, at);
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
