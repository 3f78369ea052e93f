// Every op in every instruction set that this machine runs, on fixed inputs: prints what each set computed as one number
// an op. The sets that fuse multiplication and addition must agree in every bit, here and on any other processor
// (scripts/test-arm64.cjs compares the tables of two); the baseline, which does not fuse, has a number of its own, and
// its values are compared. Exits 1 when a set differs.
//
//   sets_test [--list]     --list: only the instruction sets, the best first

#include <cmath>
#include <cstdio>
#include <map>

#include "native/cpu/features.h"
#include "test/native/linear_data.h"
#include "test/native/team.h"

namespace kvasir::test {
namespace {

// What a set computed: a hash of the bits, and the floats for a comparison that allows rounding.
struct Output {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  std::vector<float> values;

  void add(const void* data, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i) hash = (hash ^ static_cast<const uint8_t*>(data)[i]) * 0x100000001b3;
  }
  void add(const Rows& y) {
    for (int r = 0; r < y.rows; ++r) {
      if (y.dtype == Dtype::f32) {
        add(y.f32(r), size_t(y.dim) * 4);
        values.insert(values.end(), y.f32(r), y.f32(r) + y.dim);
      } else {
        add(y.q(r), size_t(y.dim) + size_t(y.dim) / kGroup * 8);
        for (int i = 0; i < y.dim; ++i) values.push_back(float(y.q(r)[i]) * y.scale(r)[i / kGroup]);
      }
    }
  }
};

struct Matrix {
  Buffer data;
  Rows rows;
  Matrix(Dtype dtype, int count, int dim)
      : data(size_t(activation_stride(dtype, dim) * count)),
        rows{data.get(), dtype, count, dim, activation_stride(dtype, dim)} {}
};

float draw(Random& random) { return float(int32_t(random() % 20001) - 10000) / 5000; }

Matrix floats(int count, int dim, Random& random) {
  Matrix m(Dtype::f32, count, dim);
  for (int r = 0; r < count; ++r)
    for (int i = 0; i < dim; ++i) m.rows.f32(r)[i] = draw(random);
  return m;
}

std::vector<float> vector_of(int n, Random& random) {
  std::vector<float> v(static_cast<size_t>(n));
  for (float& x : v) x = draw(random);
  return v;
}

using Table = cpu::KernelTable;

template <typename Op>
void call(void (*kernel)(const Op&, const Worker&), const Op& op, int threads) {
  Team(threads).run([&](const Worker& worker) { kernel(op, worker); });
}

std::vector<Dtype> kinds_of(int dim) {
  return dim % kGroup ? std::vector{Dtype::f32} : std::vector{Dtype::f32, Dtype::act8};
}

void rowwise(const Table& table, int threads, Random& random, Output& out) {
  for (const int dim : {8, 32, 64, 96, 100, 576}) {
    const Matrix x = floats(7, 2 * dim, random), small = floats(7, dim, random);
    const std::vector<float> w = vector_of(dim, random);
    const int32_t index[] = {6, 0, 3, 3, 1};
    for (const Dtype kind : kinds_of(dim)) {
      const Matrix norm(kind, 5, dim), gated(kind, 7, dim);
      call(table.rms_norm, RmsNorm{small.rows, w.data(), index, 1e-5f, norm.rows}, threads);
      call(table.swiglu, SwiGlu{x.rows, gated.rows}, threads);
      out.add(norm.rows);
      out.add(gated.rows);
    }
    const Matrix sum = floats(7, dim, random);
    call(table.add, Add{small.rows, sum.rows}, threads);
    out.add(sum.rows);
    if (dim % kGroup) continue;
    const Matrix q(Dtype::act8, 7, dim);
    call(table.quantize, Quantize{small.rows, q.rows}, threads);
    out.add(q.rows);
  }
}

void embed(const Table& table, int threads, Random& random, Output& out) {
  for (const Format& format : kFormats) {
    const int dim = block_of(format.dtype).values == 256 ? 512 : 96;
    const Buffer weights = random_weights(format.dtype, 9, dim, random);
    const Matrix y(Dtype::f32, 4, dim);
    const int32_t tokens[] = {8, 0, -2, 5}, last[] = {1, 7};
    const Weight w{weights.get(), format.dtype, 9, dim, row_bytes(format.dtype, dim)};
    call(table.embed, Embed{w, tokens, last, y.rows}, threads);
    out.add(y.rows);
  }
}

void linear(const Table& table, int threads, Random& random, Output& out) {
  for (const Format& format : kFormats) {
    for (const int tokens : {1, 3, 13}) {
      const Dtype kind = is_quantised(format.dtype) ? Dtype::act8 : Dtype::f32;
      const Matrix values = floats(tokens, 512, random), y(Dtype::f32, tokens, 53);
      Matrix x(kind, tokens, 512);
      if (kind == Dtype::act8) call(table.quantize, Quantize{values.rows, x.rows}, threads);
      const Buffer weights = random_weights(format.dtype, 53, 512, random);
      Linear op;
      op.x = kind == Dtype::act8 ? x.rows : values.rows;
      op.segment[0].w = {weights.get(), format.dtype, 53, 512, row_bytes(format.dtype, 512)};
      op.segments = 1;
      op.y = y.rows;
      call(table.linear, op, threads);
      out.add(y.rows);
      // The same weights as gate and, a few rows on, as up.
      const Matrix both(Dtype::f32, tokens, 64), gated(Dtype::act8, tokens, 32);
      GatedLinear gate_up{op, gated.rows};
      gate_up.both.y = both.rows;
      gate_up.both.segments = 2;
      gate_up.both.segment[0].w.rows = 32;
      gate_up.both.segment[1] = gate_up.both.segment[0];
      gate_up.both.segment[1].w.data += 21 * op.segment[0].w.row_bytes;
      gate_up.both.segment[1].column = 32;
      call(table.gated_linear, gate_up, threads);
      out.add(gated.rows);
    }
  }
}

// One sequence of `context` tokens that are prefilled at once, then one more; and another beside it.
struct Sequences {
  std::vector<int32_t> start, position, block_start, blocks, of_token;
  StepSequences view() const {
    return {int32_t(position.size()), start.data(),  position.data(),
            block_start.data(),       blocks.data(), of_token.data()};
  }
};
Sequences step_of(int first_tokens, int first_position, int second_tokens, int pages) {
  Sequences s{{0, first_tokens, first_tokens + second_tokens}, {first_position, 0}, {0, pages, 2 * pages}, {}, {}};
  for (int i = 0; i < 2 * pages; ++i) s.blocks.push_back(2 * pages - 1 - i);
  s.of_token.assign(size_t(first_tokens), 0);
  s.of_token.resize(size_t(first_tokens + second_tokens), 1);
  return s;
}

struct Heads {
  Dtype kv;
  int heads, kv_heads, dim, window;
  bool interleaved;
};

void attention(const Table& table, int threads, Random& random, Output& out) {
  for (const Heads& h : {Heads{Dtype::kv8, 6, 2, 64, 0, false}, Heads{Dtype::f16, 3, 1, 64, 100, true},
                         Heads{Dtype::f32, 2, 2, 48, 0, false}, Heads{Dtype::kv8, 4, 2, 128, 0, true},
                         Heads{Dtype::f16, 4, 2, 20, 0, false}}) {
    const int context = 290, pages = 10, width = (h.heads + 2 * h.kv_heads) * h.dim;
    KvCache kv{nullptr, h.kv, 1, 2 * pages, h.kv_heads, h.dim};
    const Buffer memory(size_t(kv.bytes()), 0);
    kv.base = memory.get();
    const std::vector<float> norm = vector_of(h.dim, random);
    std::vector<float> inv_freq;
    for (int i = 0; i < h.dim / 2; ++i) inv_freq.push_back(1.0f / float(1 + i * i));
    const Buffer workspace(size_t{kAttentionWorkspaceBytes});
    for (const Sequences& s : {step_of(context, 0, 3, pages), step_of(1, context, 0, pages)}) {
      const int tokens = s.start[2];
      const Matrix qkv = floats(tokens, width, random), angles(Dtype::f32, tokens, h.dim);
      call(table.rope_table, RopeTable{s.view(), inv_freq.data(), 1.0f, angles.rows}, threads);
      RopeKv rope;
      rope.sequences = s.view();
      rope.qkv = qkv.rows;
      rope.table = angles.rows;
      rope.heads = h.heads;
      rope.rotary_dim = h.dim;
      rope.q_norm = rope.k_norm = h.interleaved ? nullptr : norm.data();
      rope.eps = 1e-6f;
      rope.interleaved = h.interleaved;
      rope.kv = kv;
      call(table.rope_kv, rope, threads);
      out.add(angles.rows);
      out.add(qkv.rows);
      for (const Dtype kind : kinds_of(h.dim)) {
        const Matrix y(kind, tokens, h.heads * h.dim);
        Attention op{s.view(), qkv.rows, h.heads, 0.125f, h.window, 0, kv, y.rows};
        op.workspace = reinterpret_cast<float*>(workspace.get());
        op.workspace_bytes = kAttentionWorkspaceBytes;
        call(table.attention, op, threads);
        out.add(y.rows);
      }
    }
    out.add(memory.get(), memory.size);
  }
}

void sample(const Table& table, int threads, Random& random, Output& out) {
  std::vector<SequenceSlot> slots(3);
  slots[1].params.temperature = 0.8f;
  slots[1].params.top_k = 20;
  slots[2].params.temperature = 1.2f;
  slots[2].params.top_p = 0.9f;
  slots[2].params.seed = 7;
  const Matrix logits = floats(6, 1003, random);
  const int32_t slot[] = {0, 1, 2, 0, 1, 2}, position[] = {4, 9, 2, 5, 10, 3}, target[] = {-1, -1, -1, -1, -1, -1};
  int32_t last[3];
  SampleResult results[6];
  call(table.sample, Sample{logits.rows, slot, position, target, slots.data(), last, results}, threads);
  for (const SampleResult& result : results) out.add(&result.id, sizeof result.id);
}

struct Op {
  const char* name;
  void (*run)(const Table&, int threads, Random&, Output&);
};
constexpr Op kOps[] = {
    {"rowwise", rowwise}, {"embed", embed}, {"linear", linear}, {"attention", attention}, {"sample", sample}};

Output run(const Op& op, const Table& table, int threads) {
  Random random(12345);
  Output out;
  op.run(table, threads, random, out);
  return out;
}

// Largest difference over the largest value.
double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double size = 1e-30, off = a.size() == b.size() ? 0 : INFINITY;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    size = std::fmax(size, std::fabs(double(a[i])));
    const double difference = std::fabs(double(a[i]) - b[i]);
    off = std::isnan(difference) ? INFINITY : std::fmax(off, difference);
  }
  return off / size;
}

int check() {
  int failures = 0;
  const std::vector<Table> sets = isas();
  const auto print = [](const char* op, const char* isa, uint64_t hash, bool good) {
    std::printf("%-9s %-9s %016llx%s\n", op, isa, static_cast<unsigned long long>(hash), good ? "" : " FAILED");
    std::fflush(stdout);
  };
  for (const Op& op : kOps) {
    Output fused, plain;
    for (const Table& table : sets) {
      const bool baseline = std::string(table.isa) == "baseline";
      const Output one = run(op, table, 1), three = run(op, table, 3);
      bool good = one.hash == three.hash;
      if (baseline)
        plain = one;
      else if (fused.values.empty())
        fused = one;
      // What an act8 value rounds to may differ by one, hence the tolerance against the baseline.
      good = good && (baseline || (one.hash == fused.hash && distance(one.values, plain.values) < 2e-2));
      print(op.name, table.isa, one.hash, good);
      failures += !good;
    }
  }
  std::printf("%d failed\n", failures);
  return failures ? 1 : 0;
}

}  // namespace
}  // namespace kvasir::test

int main(int argc, char**) {
  if (argc == 1) return kvasir::test::check();
  for (const kvasir::cpu::KernelTable* table : kvasir::cpu::runnable_kernels()) std::printf("%s ", table->isa);
  std::printf("\n");
}
