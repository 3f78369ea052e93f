// rope_table, rope_kv and attention over pages against the processor's, to the bit: ragged batches, grouped heads, windows,
// every KV format. Slots that nobody has written hold NaN.
#include "test/simt/attention_data.h"

namespace kvasir::simt_test {
namespace {

void run_rope(const Model& model, const std::vector<Sequence>& sequences, int rotary, uint64_t seed) {
  Attending a("rope_kv", model, sequences, seed);
  std::vector<float> inv_freq, norm(model.head_dim);
  for (int i = 0; i < rotary / 2; ++i) inv_freq.push_back(std::pow(10000.0f, -2.0f * i / rotary));
  for (float& value : norm) value = 0.5f + static_cast<float>(a.random() % 100) / 100;
  const Buffer table = rows_buffer(Dtype::f32, a.step.tokens(), rotary);
  const Buffer same_table = rows_buffer(Dtype::f32, a.step.tokens(), rotary);
  a.card.has(inv_freq, "inv_freq");
  a.card.has(norm, "norm");
  a.card.has(table, 4, "table", false);
  RopeTable make{a.step.view, inv_freq.data(), 1.25f, rows_in(table, Dtype::f32, a.step.tokens(), rotary)};
  a.card.run(make);
  RopeTable make_same = make;
  make_same.y = rows_in(same_table, Dtype::f32, a.step.tokens(), rotary);
  run_on_cpu(&cpu::KernelTable::rope_table, make_same);
  int64_t different = differences(make.y, make_same.y);

  RopeKv op{.sequences = a.step.view,
            .qkv = a.rows(a.qkv),
            .table = make.y,
            .heads = model.heads,
            .rotary_dim = rotary,
            .q_norm = model.norms ? norm.data() : nullptr,
            .k_norm = model.norms ? norm.data() : nullptr,
            .eps = 1e-6f,
            .interleaved = model.interleaved,
            .layer = 1,
            .kv = a.kv};
  a.card.run(op);
  RopeKv same = op;
  same.qkv = a.rows(a.same_qkv);
  same.kv = a.same_kv();
  run_on_cpu(&cpu::KernelTable::rope_kv, same);
  different += differences(op.qkv, same.qkv);
  different += differences(a.pages.get(), a.same_pages.get(), static_cast<int64_t>(a.pages.size));
  print(a.name, a.card, different);
}

// The decode kernel reads a page for each query head, the prefill kernel for each block of rows. A warp of 16 rows needs the
// mma of a page that some row of it sees.
Floor floor_of(const Attending& a, const cuda::PagedAttention& paged) {
  Floor floor{0, 0, "kv"};
  const Model& model = a.model;
  const int group = model.heads / model.kv_heads, tile = 64 / group, dim = model.head_dim;
  const int64_t of_page = (dim + 31) / 32 * 4 + dim / 16 * 4;
  const auto pages = [&](int first, int last) {
    const int seen = model.window && first >= model.window ? first - model.window + 1 : 0;
    return int64_t{last / kPageTokens - seen / kPageTokens + 1};
  };
  const StepSequences& s = paged.op.sequences;
  for (int i = 0; i < s.count; ++i) {
    const int offset = s.position[i] - s.start[i], end = s.start[i + 1];
    if (end - s.start[i] <= paged.decode_tokens) {
      for (int t = s.start[i]; t < end; ++t)
        floor.bytes += pages(t + offset, t + offset) * model.heads * a.kv.head_page_bytes();
      continue;
    }
    for (int begin = s.start[i]; begin < end;) {
      const int after = std::min(end, (begin / tile + 1) * tile), first_row = begin % tile * group;
      floor.bytes += pages(begin + offset, after - 1 + offset) * model.kv_heads * a.kv.head_page_bytes();
      for (int row = first_row / 16 * 16; row < first_row + (after - begin) * group; row += 16) {
        const int from = std::max(begin, begin / tile * tile + row / group);
        const int to = std::min(after - 1, begin / tile * tile + (row + 15) / group);
        floor.mma += pages(from + offset, to + offset) * of_page * model.kv_heads;
      }
      begin = after;
    }
  }
  return floor;
}

// `room`: whether there is a workspace to take long contexts apart.
void run_case(const Model& model, const std::vector<Sequence>& sequences, bool room, uint64_t seed) {
  Attending a("attention", model, sequences, seed);
  const int columns = model.heads * model.head_dim, tokens = a.step.tokens();
  const Buffer found = rows_buffer(model.y, tokens, columns), expected = rows_buffer(model.y, tokens, columns);
  const Buffer workspace(room ? 4 << 20 : 0);
  a.card.has(found, 1, "y", false);
  if (room) a.card.has(workspace, 4, "workspace", false);
  Attention op{.sequences = a.step.view,
               .qkv = a.rows(a.qkv),
               .heads = model.heads,
               .scale = 1 / std::sqrt(static_cast<float>(model.head_dim)),
               .window = model.window,
               .layer = 1,
               .kv = a.kv,
               .y = rows_in(found, model.y, tokens, columns),
               .workspace = reinterpret_cast<float*>(workspace.get()),
               .workspace_bytes = static_cast<int64_t>(workspace.size)};
  a.card.facts.multiprocessors = 132;
  const cuda::PagedAttention paged = cuda::plan_attention(op, a.step.extent, a.card.facts);
  a.card.run(paged);
  Attention same = op;
  same.y = rows_in(expected, model.y, tokens, columns);
  run_on_cpu(&cpu::KernelTable::attention, same);
  print(a.name + (room ? ", apart" : ""), a.card, differences(op.y, same.y), 0, floor_of(a, paged));
}

}  // namespace

void run_attention(uint64_t seed) {
  const std::vector<Sequence> ragged = {{0, 5}, {31, 1}, {40, 33}, {63, 2}};
  for (const Dtype kv : {Dtype::kv8, Dtype::f16, Dtype::f32}) {
    run_rope({3, 1, 64, kv}, ragged, 64, seed);
    run_rope({2, 2, 48, kv, 0, Dtype::f32, true, true}, {{7, 3}}, 32, seed);
    const std::vector<Sequence> small = {{0, 3}, {40, 1}, {63, 2}};
    run_case({3, 1, 64, kv, 0, Dtype::act8}, small, false, seed);
    run_case({4, 2, 64, kv, 20}, small, false, seed);
    run_case({2, 2, 36, kv}, {{260, 1}}, true, seed);
    run_case({3, 1, 64, kv, 0, Dtype::act8}, {{28, 9}}, false, seed);
    run_case({2, 2, 96, kv, 40}, {{0, 2}, {50, 17}, {250, 9}}, false, seed);
    if (few_shapes) continue;
    run_rope({9, 3, 128, kv}, ragged, 128, seed);
    for (const int dim : {64, 80, 96, 128, 256}) run_case({4, 2, dim, kv}, {{250, 12}, {0, 1}}, false, seed);
    run_case({9, 3, 64, kv, 0, Dtype::act8}, {{0, 70}, {300, 1}, {100, 17}}, false, seed);
    run_case({16, 1, 64, kv, 0, Dtype::act8}, {{515, 1}, {767, 2}, {10, 1}}, true, seed);
    run_case({4, 4, 128, kv, 300}, {{700, 1}, {513, 3}}, true, seed);
    run_case({4, 4, 128, kv, 300, Dtype::act8}, {{500, 40}, {3, 4}, {0, 5}, {290, 30}}, true, seed);
    run_case({14, 2, 48, kv}, {{0, 130}}, false, seed);
  }
}

void lint_attention() {
  for (const int dim : {64, 128}) {
    run_case({4, 1, dim, Dtype::kv8, 0, Dtype::act8}, {{0, 64}}, false, 1);
    run_case({4, 2, dim, Dtype::kv8, 0, Dtype::act8}, {{224, 64}, {300, 5}}, false, 1);
    run_case({4, 1, dim, Dtype::kv8, 128, Dtype::act8}, {{512, 32}}, false, 1);
    run_case({4, 1, dim, Dtype::kv8, 0, Dtype::act8}, {{1023, 1}}, true, 1);
    run_case({8, 2, dim, Dtype::f16, 0, Dtype::act8}, {{255, 1}}, true, 1);
  }
}

}  // namespace kvasir::simt_test
