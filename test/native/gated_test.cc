// gated_linear of every instruction set that this machine runs, in every format and around every boundary of tokens, rows
// and threads, against linear and swiglu one after the other: every byte of y must be theirs. Prints a line a set; exits 1
// on a difference.

#include <cstdio>

#include "test/native/linear_data.h"
#include "test/native/team.h"

namespace kvasir::test {
namespace {

struct Case {
  int rows, cols, tokens, threads;
  bool bias;
};

int failures_of(const Isa& isa, const Format& gate, const Format& up, const Case& c) {
  Random random(uint32_t(c.rows * 7919 + c.tokens * 31 + c.cols));
  const Dtype kind = is_quantised(gate.dtype) ? Dtype::act8 : Dtype::f32;
  const Buffer x = random_activations(kind, c.tokens, c.cols, random);
  const Buffer weights[2] = {random_weights(gate.dtype, c.rows, c.cols, random),
                             random_weights(up.dtype, c.rows, c.cols, random)};
  std::vector<float> bias(size_t(c.rows) * 2);
  for (float& b : bias) b = float(int32_t(random() % 2001) - 1000) / 1000;

  const int64_t both_stride = activation_stride(Dtype::f32, 2 * c.rows);
  const Buffer both(size_t(both_stride * c.tokens));
  GatedLinear op;
  op.both.x = {x.get(), kind, c.tokens, c.cols, activation_stride(kind, c.cols)};
  op.both.y = {both.get(), Dtype::f32, c.tokens, 2 * c.rows, both_stride};
  op.both.segments = 2;
  for (int s = 0; s < 2; ++s) {
    const Dtype dtype = s ? up.dtype : gate.dtype;
    op.both.segment[s].w = {weights[s].get(), dtype, c.rows, c.cols, row_bytes(dtype, c.cols)};
    op.both.segment[s].column = s * c.rows;
    if (c.bias) op.both.segment[s].bias = bias.data() + s * c.rows;
  }

  int failures = 0;
  for (const Dtype y_kind : {Dtype::f32, Dtype::act8}) {
    if (y_kind == Dtype::act8 && c.rows % kGroup) continue;
    const int64_t stride = activation_stride(y_kind, c.rows);
    const Buffer expected(size_t(stride * c.tokens)), y(size_t(stride * c.tokens));
    const auto rows_in = [&](const Buffer& data) { return Rows{data.get(), y_kind, c.tokens, c.rows, stride}; };
    Team team(c.threads);
    team.run([&](const Worker& worker) { isa.linear(op.both, worker); });
    team.run([&](const Worker& worker) { isa.swiglu(SwiGlu{op.both.y, rows_in(expected)}, worker); });
    std::memset(both.get(), 0xff, both.size);  // NaN: what was left there may not be read
    op.y = rows_in(y);
    team.run([&](const Worker& worker) { isa.gated_linear(op, worker); });
    if (std::memcmp(y.get(), expected.get(), y.size) == 0) continue;
    ++failures;
    std::printf("%s %s·%s %d×%d tokens %d threads %d: y differs\n", isa.isa, gate.name, up.name, c.rows, c.cols,
                c.tokens, c.threads);
  }
  return failures;
}

int run() {
  int failures = 0;
  for (const Isa& isa : isas()) {
    int count = 0, wrong = 0;
    const auto check = [&](const Format& gate, const Format& up, const Case& c) {
      ++count;
      wrong += failures_of(isa, gate, up, c);
    };
    for (const Format& format : kFormats) {
      for (int tokens = 0; tokens <= 20; ++tokens) check(format, format, {64, 256, tokens, 1 + tokens % 3, false});
      for (int rows : {32, 96, 160}) check(format, format, {rows, 512, 5, 2, true});
      for (int rows : {8, 33, 100}) check(format, format, {rows, 256, 3, 2, true});
      for (int tokens : {47, 265, 600}) check(format, format, {64, 768, tokens, 2, true});
      check(format, kFormats[is_quantised(format.dtype) ? 3 : 0], {64, 256, 9, 2, false});
    }
    std::printf("%-9s %d cases, %d different\n", isa.isa, count, wrong);
    failures += wrong;
  }
  std::printf("%d failed\n", failures);
  return failures ? 1 : 0;
}

}  // namespace
}  // namespace kvasir::test

int main() { return kvasir::test::run(); }
