// Checks `linear` of every instruction set that this machine runs, in every format, at the edges of the shapes: each
// output must have the very bits of the formula in native/ops/linear.h, written out here once more value by value, and
// lie near the sum in double precision. Prints a table; exits 1 on the first difference of any cell.

#include <cstdio>

#include "test/native/linear_data.h"
#include "test/native/team.h"

namespace kvasir::test {
namespace {

struct Value {
  int32_t w;  // u − zero
  float d, m;
};

float half_at(const uint8_t* p) {
  const uint32_t h = uint32_t(p[0]) | uint32_t(p[1]) << 8;
  const float magnitude =
      h >> 10 & 31 ? std::ldexp(1024.0f + float(h & 1023), int(h >> 10 & 31) - 25) : std::ldexp(float(h & 1023), -24);
  return h >> 15 ? -magnitude : magnitude;
}

// Value k of a quantised row, straight from the descriptions in native/base/dtype.h.
Value value_at(Dtype dtype, const uint8_t* row, int k) {
  const Block block = block_of(dtype);
  const uint8_t* b = row + k / block.values * block.bytes;
  const int i = k % block.values;
  const auto nibble = [&](int at) { return i < 16 ? b[at + i] & 15 : b[at + i - 16] >> 4; };
  const auto fifth = [&](int at) { return (b[at + i / 8] >> i % 8 & 1) << 4; };
  switch (dtype) {
    case Dtype::q8_0:
      return {int8_t(b[2 + i]), half_at(b), 0};
    case Dtype::q4_0:
      return {nibble(2) - 8, half_at(b), 0};
    case Dtype::q4_1:
      return {nibble(4), half_at(b), half_at(b + 2)};
    case Dtype::q5_0:
      return {(nibble(6) | fifth(2)) - 16, half_at(b), 0};
    case Dtype::q5_1:
      return {nibble(8) | fifth(4), half_at(b), half_at(b + 2)};
    case Dtype::q6_k: {
      const int h = i / 128, j = i % 128 / 32, l = i % 32;
      const int low = b[h * 64 + j % 2 * 32 + l] >> (j >= 2 ? 4 : 0) & 15;
      const int high = b[128 + h * 32 + l] >> 2 * j & 3;
      return {(low | high << 4) - 32, half_at(b + 208) * float(int8_t(b[192 + i / 16])), 0};
    }
    default: {
      const int g = i / 32, l = i % 32;
      const uint8_t* s = b + 4;
      const int scale = g < 4 ? s[g] & 63 : (s[g + 4] & 15) | (s[g - 4] >> 6) << 4;
      const int min = g < 4 ? s[g + 4] & 63 : (s[g + 4] >> 4) | (s[g] >> 6) << 4;
      const bool five = dtype == Dtype::q5_k;
      const int low = b[(five ? 48 : 16) + g / 2 * 32 + l] >> (g % 2 ? 4 : 0) & 15;
      const int high = five ? b[16 + l] >> g & 1 : 0;
      return {low | high << 4, half_at(b) * float(scale), -(half_at(b + 2) * float(min))};
    }
  }
}

float float_at(Dtype dtype, const uint8_t* row, int k) {
  if (dtype == Dtype::f16) return half_at(row + k * 2);
  uint32_t bits = 0;
  if (dtype == Dtype::bf16)
    bits = uint32_t(row[k * 2]) << 16 | uint32_t(row[k * 2 + 1]) << 24;
  else
    std::memcpy(&bits, row + k * 4, 4);
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

struct Expected {
  float value;
  double exact;
  double magnitude;  // Σ of the terms' absolute values, what a relative error is relative to
};

Expected dot_quantised(const std::vector<Value>& w, bool halves, bool minimum, const Rows& x, int64_t t) {
  Expected out{0, 0, 0};
  for (int g = 0; g < x.dim / kGroup; ++g) {
    const float scale = x.scale(t)[g];
    const int step = halves ? 16 : 32;
    for (int from = g * kGroup; from < (g + 1) * kGroup; from += step) {
      int32_t isum = 0;
      for (int k = from; k < from + step; ++k) isum += w[size_t(k)].w * x.q(t)[k];
      const float weight = w[size_t(from)].d * scale;
      out.value = std::fma(float(isum), weight, out.value);
      for (int k = from; k < from + step; ++k) {
        const Value& v = w[size_t(k)];
        const double product = double(v.d) * v.w * x.q(t)[k] * scale;
        const double least = minimum ? double(v.m) * x.q(t)[k] * scale : 0;
        out.exact += product + least;
        out.magnitude += std::fabs(product) + std::fabs(least);
      }
    }
    if (minimum) out.value = std::fma(w[size_t(g * kGroup)].m, scale * float(x.sum(t)[g]), out.value);
  }
  return out;
}

Expected dot_float(const std::vector<float>& w, const Rows& x, int64_t t) {
  Expected out{0, 0, 0};
  float partial[16] = {};
  for (int k = 0; k < x.dim; ++k) {
    partial[k % 16] = std::fma(w[size_t(k)], x.f32(t)[k], partial[k % 16]);
    out.exact += double(w[size_t(k)]) * x.f32(t)[k];
    out.magnitude += std::fabs(double(w[size_t(k)]) * x.f32(t)[k]);
  }
  for (int step = 8; step; step /= 2) {
    for (int j = 0; j < step; ++j) partial[j] += partial[j + step];
  }
  out.value = partial[0];
  return out;
}

struct Case {
  std::vector<int> rows;  // of each segment
  int cols;
  int tokens;
  int threads = 1;
  bool bias = false;
  bool accumulate = false;
};

struct Tally {
  int64_t outputs = 0;
  int64_t different = 0;
  double worst = 0;
  std::string first_difference;
};

void check(const Format& format, const Case& c, const std::vector<Isa>& sets, std::vector<Tally>& tallies) {
  Random random(uint32_t(c.cols * 7919 + c.tokens * 31 + c.rows[0]));
  const bool quantised = is_quantised(format.dtype);
  const Dtype x_dtype = quantised ? Dtype::act8 : Dtype::f32;
  const Buffer x_data = random_activations(x_dtype, c.tokens, c.cols, random);
  const Rows x{x_data.get(), x_dtype, c.tokens, c.cols, activation_stride(x_dtype, c.cols)};

  Linear op;
  op.x = x;
  op.segments = int32_t(c.rows.size());
  op.accumulate = c.accumulate;
  std::vector<Buffer> weights, biases;
  int32_t width = 3;  // columns before, between and after the segments must be left alone
  for (size_t s = 0; s < c.rows.size(); ++s) {
    weights.push_back(random_weights(format.dtype, c.rows[s], c.cols, random));
    biases.emplace_back(size_t(c.rows[s]) * 4);
    for (int i = 0; i < c.rows[s]; ++i) {
      reinterpret_cast<float*>(biases[s].get())[i] = float(int32_t(random() % 2001) - 1000) / 1000;
    }
    op.segment[s].w = {weights[s].get(), format.dtype, c.rows[s], c.cols, row_bytes(format.dtype, c.cols)};
    if (c.bias) op.segment[s].bias = reinterpret_cast<const float*>(biases[s].get());
    op.segment[s].column = width;
    width += c.rows[s] + 1;
  }
  const int64_t y_stride = activation_stride(Dtype::f32, width);
  const Buffer y_before(size_t(y_stride * c.tokens));
  const Buffer expected(size_t(y_stride * c.tokens));
  const auto at = [&](const Buffer& buffer, int64_t t, int column) {
    return reinterpret_cast<float*>(buffer.get() + t * y_stride) + column;
  };

  double worst = 0;
  int64_t outputs = 0;
  const bool halves = format.dtype == Dtype::q6_k;
  const bool minimum =
      quantised && format.dtype != Dtype::q8_0 && !halves && format.dtype != Dtype::q4_0 && format.dtype != Dtype::q5_0;
  for (size_t s = 0; s < c.rows.size(); ++s) {
    for (int r = 0; r < c.rows[s]; ++r) {
      const uint8_t* row = weights[s].get() + r * op.segment[s].w.row_bytes;
      std::vector<Value> values;
      std::vector<float> floats;
      for (int k = 0; k < c.cols; ++k) {
        if (quantised)
          values.push_back(value_at(format.dtype, row, k));
        else
          floats.push_back(float_at(format.dtype, row, k));
      }
      for (int t = 0; t < c.tokens; ++t) {
        Expected e = quantised ? dot_quantised(values, halves, minimum, x, t) : dot_float(floats, x, t);
        worst = std::fmax(worst, std::fabs(double(e.value) - e.exact) / (e.magnitude + 1e-30));
        const int column = op.segment[s].column + r;
        const float old = float(int32_t(random() % 2001) - 1000) / 500;
        if (c.accumulate) *at(y_before, t, column) = old;
        if (c.bias) e.value += op.segment[s].bias[r];
        if (c.accumulate) e.value += old;
        *at(expected, t, column) = e.value;
        ++outputs;
      }
    }
  }

  for (size_t i = 0; i < sets.size(); ++i) {
    const Buffer y(size_t(y_stride * c.tokens));
    std::memcpy(y.get(), y_before.get(), y.size);
    op.y = {y.get(), Dtype::f32, c.tokens, width, y_stride};
    Team(c.threads).run([&](const Worker& worker) { sets[i].linear(op, worker); });
    Tally& tally = tallies[i];
    tally.outputs += outputs;
    tally.worst = std::fmax(tally.worst, worst);
    if (std::memcmp(y.get(), expected.get(), y.size) == 0) continue;
    for (int t = 0; t < c.tokens; ++t) {
      for (int64_t column = 0; column < y_stride / 4; ++column) {
        if (std::memcmp(at(y, t, int(column)), at(expected, t, int(column)), 4) == 0) continue;
        ++tally.different;
        if (!tally.first_difference.empty()) continue;
        char line[256];
        std::snprintf(line, sizeof line,
                      "%s %s rows %d (of %zu) cols %d tokens %d threads %d: y[%d, %d] = %.9g, not %.9g", sets[i].isa,
                      format.name, c.rows[0], c.rows.size(), c.cols, c.tokens, c.threads, t, int(column),
                      double(*at(y, t, int(column))), double(*at(expected, t, int(column))));
        tally.first_difference = line;
      }
    }
  }
}

std::vector<Case> cases_of(const Format& format) {
  const int block = block_of(format.dtype).values;
  std::vector<Case> cases;
  for (int tokens = 1; tokens <= 40; ++tokens) cases.push_back({{37}, block == 256 ? 256 : 288, tokens});
  for (int rows = 1; rows <= 70; ++rows) cases.push_back({{rows}, 256, 1 + rows * 5 % 23});
  for (int rows : {1, 15, 16, 17, 31, 32, 33, 48, 64}) {
    for (int tokens : {1, 2, 4, 7, 9}) cases.push_back({{rows}, 256, tokens});
  }
  for (int cols = block; cols <= 2304; cols += cols < 8 * block ? block : (7 * 64 + block - 1) / block * block) {
    for (int tokens : {1, 3, 17}) cases.push_back({{33}, cols, tokens});
  }
  if (block == 1) {
    for (int cols = 1; cols <= 70; ++cols) cases.push_back({{6}, cols, 1 + cols % 8});
  }
  cases.push_back({{48}, 768, 512});
  cases.push_back({{20}, 4608, 130});
  cases.push_back({{16}, 14336, 70});
  for (int threads = 1; threads <= 3; ++threads) {
    for (int tokens : {1, 5, 29}) {
      cases.push_back({{96, 32, 17}, 512, tokens, threads, true, true});
      cases.push_back({{70, 5}, 256, tokens, threads, true, false});
      cases.push_back({{100}, 256, tokens, threads, false, true});
      cases.push_back({{1, 16, 1}, 256, tokens, threads, false, false});
    }
  }
  return cases;
}

int run(const std::string& only) {
  const std::vector<Isa> sets = isas();
  std::printf("%-6s %-9s %6s %9s %10s %14s\n", "format", "isa", "cases", "outputs", "different", "error vs double");
  int failures = 0;
  for (const Format& format : kFormats) {
    if (!only.empty() && only != format.name) continue;
    std::vector<Tally> tallies(sets.size());
    const std::vector<Case> cases = cases_of(format);
    for (const Case& c : cases) check(format, c, sets, tallies);
    for (size_t i = 0; i < sets.size(); ++i) {
      const Tally& tally = tallies[i];
      const bool good = tally.different == 0 && tally.worst < 2e-6;
      failures += !good;
      std::printf("%-6s %-9s %6zu %9lld %10lld %14.2e %s\n", format.name, sets[i].isa, cases.size(),
                  static_cast<long long>(tally.outputs), static_cast<long long>(tally.different), tally.worst,
                  good ? "" : "FAILED");
      if (!tally.first_difference.empty()) std::printf("  %s\n", tally.first_difference.c_str());
    }
    std::fflush(stdout);
  }
  std::printf("%d failed\n", failures);
  return failures ? 1 : 0;
}

}  // namespace
}  // namespace kvasir::test

int main(int argc, char** argv) { return kvasir::test::run(argc > 1 ? argv[1] : ""); }
