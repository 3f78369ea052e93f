// attention over f16 pages by wgmma, against the processor's to rounding, and to the bit against itself: prompts at once or cut
// anywhere, tokens one by one, contexts taken apart or not. Slots that nobody has written hold NaN.
#include "test/simt/attention_data.h"

namespace kvasir::simt_test {
namespace {

struct Way {
  int decode_tokens;
  bool room;  // whether there is a workspace to take long contexts apart
};

// Blocks as often as a tile needs them, and what wgmma multiplies for them, counted as mma.sync of 16 rows.
Floor floor_of(const Attending& a, const cuda::PagedAttention& paged) {
  Floor floor{0, 0, "kv"};
  const Model& model = a.model;
  const int group = model.heads / model.kv_heads, dim = model.head_dim;
  const int64_t of_block = 4 * (dim / 16 * 8 + 4 * dim / 8);
  const auto seen = [&](int position) {
    return model.window && position >= model.window ? position - model.window + 1 : 0;
  };
  const auto pages = [&](int first, int last) { return int64_t{last / kPageTokens - seen(first) / kPageTokens + 1}; };
  const auto blocks = [&](int first, int last) {
    return int64_t{last / cuda::kBlockTokens - seen(first) / cuda::kBlockTokens + 1};
  };
  const StepSequences& s = paged.op.sequences;
  for (int i = 0; i < s.count; ++i) {
    const int offset = s.position[i] - s.start[i], end = s.start[i + 1];
    const bool few = end - s.start[i] <= paged.decode_tokens;
    const int tile = few ? 1 : 128 / group;
    for (int begin = s.start[i]; begin < end;) {
      const int after = std::min(end, (begin / tile + 1) * tile);
      floor.bytes += pages(begin + offset, after - 1 + offset) * model.kv_heads * a.kv.head_page_bytes();
      for (int row = 0; row < (few ? 64 : 128); row += 64) {
        const int from = std::max(begin, begin / tile * tile + row / group);
        const int to = std::min({after - 1, begin / tile * tile + (row + 63) / group});
        if (from <= to) floor.mma += blocks(from + offset, to + offset) * of_block * model.kv_heads;
      }
      begin = after;
    }
  }
  return floor;
}

void run_case(const Model& model, const std::vector<Sequence>& sequences, std::vector<Way> ways, uint64_t seed) {
  Attending a("attention by wgmma", model, sequences, seed);
  const int columns = model.heads * model.head_dim, tokens = a.step.tokens();
  const Buffer found = rows_buffer(model.y, tokens, columns), other = rows_buffer(model.y, tokens, columns),
               expected = rows_buffer(Dtype::f32, tokens, columns), workspace(4 << 20);
  a.card.has(found, 1, "y", false);
  a.card.has(other, 1, "y", false);
  a.card.has(workspace, 4, "workspace", false);
  a.card.facts.multiprocessors = 132;
  a.card.facts.wgmma_attention = true;
  int64_t different = 0;
  double error = 0;
  Floor floor;
  for (const Way& way : ways) {
    const bool first = &way == ways.data();
    Attention op{.sequences = a.step.view,
                 .qkv = a.rows(a.qkv),
                 .heads = model.heads,
                 .scale = 1 / std::sqrt(static_cast<float>(model.head_dim)),
                 .window = model.window,
                 .layer = 1,
                 .kv = a.kv,
                 .y = rows_in(first ? found : other, model.y, tokens, columns),
                 .workspace = reinterpret_cast<float*>(workspace.get()),
                 .workspace_bytes = way.room ? static_cast<int64_t>(workspace.size) : 0};
    cuda::PagedAttention paged = cuda::plan_attention(op, a.step.extent, a.card.facts);
    if (way.decode_tokens >= 0) {
      paged.decode_tokens = way.decode_tokens;
      paged.decodes = a.step.extent.fewest_tokens <= way.decode_tokens;
      paged.prefills = a.step.extent.most_tokens > way.decode_tokens;
    }
    a.card.run(paged);
    if (!first) {
      different += differences(rows_in(found, model.y, tokens, columns), op.y);
      continue;
    }
    floor = floor_of(a, paged);
    if (model.y == Dtype::act8) continue;
    op.y = rows_in(expected, Dtype::f32, tokens, columns);
    run_on_cpu(&cpu::KernelTable::attention, op);
    error = error_of(rows_in(found, Dtype::f32, tokens, columns), op.y);
  }
  print(a.name, a.card, different, error, floor);
}

}  // namespace

void run_tensor_attention(uint64_t seed) {
  const std::vector<Way> all = {{-1, true}, {0, false}, {INT32_MAX, false}, {INT32_MAX, true}};
  const auto f16 = Dtype::f16;
  run_case({4, 2, 64, f16}, {{0, 3}, {70, 9}, {63, 1}}, {{-1, false}, {0, false}}, seed);
  run_case({3, 1, 128, f16, 20}, {{60, 8}, {255, 2}}, {{-1, true}, {INT32_MAX, false}}, seed);
  run_case({2, 2, 64, f16, 0, Dtype::act8}, {{260, 1}, {40, 7}}, all, seed);
  if (few_shapes) return;
  for (const int dim : {64, 128}) {
    run_case({4, 2, dim, f16}, {{0, 1}, {250, 12}, {31, 1}, {127, 3}}, all, seed);
    run_case({9, 3, dim, f16}, {{0, 150}, {300, 1}, {100, 17}}, all, seed);
    run_case({9, 3, dim, f16, 0, Dtype::act8}, {{0, 150}, {300, 1}, {100, 17}}, all, seed);
    run_case({8, 1, dim, f16, 100}, {{600, 40}, {767, 2}, {0, 5}}, all, seed);
    run_case({4, 4, dim, f16, 300}, {{500, 70}, {3, 4}, {290, 30}, {1023, 1}}, all, seed);
    run_case({64, 1, dim, f16}, {{191, 3}, {0, 5}}, all, seed);
  }
}

void lint_tensor_attention() {
  for (const int dim : {64, 128}) {
    run_case({4, 1, dim, Dtype::f16, 0, Dtype::act8}, {{0, 96}}, {{-1, false}}, 1);
    run_case({4, 2, dim, Dtype::f16, 0, Dtype::act8}, {{224, 64}, {300, 5}}, {{-1, false}}, 1);
    run_case({4, 1, dim, Dtype::f16, 128, Dtype::act8}, {{512, 32}}, {{-1, false}}, 1);
    run_case({8, 2, dim, Dtype::f16, 0, Dtype::act8}, {{1023, 1}}, {{-1, true}}, 1);
  }
}

}  // namespace kvasir::simt_test
