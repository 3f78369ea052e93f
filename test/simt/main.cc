// Runs planted bugs, lint probes and kernels in the emulator, and prints a JSON line for each.
// Linked twice, with kernels instrumented (simt_check) and not (simt_fast).
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "native/base/check.h"
#include "native/cuda/kernels.h"
#include "native/formats/half.h"
#include "native/simt/machine.h"
#include "test/simt/planted.h"

using namespace kvasir;
using simt::Dim3;
using simt::Machine;

namespace {

#ifdef KVASIR_SIMT_CHECK
constexpr bool kCheck = true;
#else
constexpr bool kCheck = false;
#endif

std::string quoted(const std::string& words) { return "\"" + words + "\""; }

// `error`: the largest difference from the reference over its largest value.
void print(const std::string& name, const Machine& machine, double error) {
  std::string findings;
  for (const auto& [kind, finding] : machine.report.findings)
    findings += text(findings.empty() ? "" : ",", quoted(kind), ":", quoted(finding.first));
  const simt::Counters& c = machine.counters;
  std::printf("%s\n", text("{\"name\":", quoted(name), ",\"error\":", error, ",\"findings\":{", findings, "},\"mma\":",
                           c.mma, ",\"sharedRequests\":", c.shared_requests, ",\"bankConflicts\":", c.bank_conflicts,
                           ",\"globalRequests\":", c.global_requests, ",\"globalSectors\":", c.global_sectors,
                           ",\"globalRead\":", c.global_read, ",\"globalWritten\":", c.global_written, "}")
                          .c_str());
}

// Uniform in [−1, 1), the same on every machine.
float next_value() {
  static uint32_t state = 1;
  state = state * 1664525u + 1013904223u;
  return static_cast<float>(static_cast<int32_t>(state) >> 8) / (1 << 23);
}
std::vector<float> floats(size_t n) {
  std::vector<float> values(n);
  for (float& value : values) value = next_value();
  return values;
}
std::vector<uint16_t> halves(size_t n) {
  std::vector<uint16_t> values(n);
  for (uint16_t& value : values) value = f32_to_bf16(next_value());
  return values;
}

template <typename T>
void input(Machine& machine, const std::vector<T>& data, const char* name) {
  machine.add_buffer(data.data(), data.size() * sizeof(T), sizeof(T), name, true);
}
template <typename T>
void output(Machine& machine, const std::vector<T>& data, const char* name) {
  machine.add_buffer(data.data(), data.size() * sizeof(T), sizeof(T), name, false);
}

// A value that was never written is a NaN and makes the error infinite.
double difference(const std::vector<float>& found, const std::vector<double>& expected) {
  double most = 0, largest = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    if (!(std::fabs(found[i] - expected[i]) <= most)) most = std::fabs(found[i] - expected[i]);
    if (std::isnan(found[i])) return 1e30;
    largest = std::fmax(largest, std::fabs(expected[i]));
  }
  return most / largest;
}
std::vector<float> widen(const std::vector<uint16_t>& values) {
  std::vector<float> wide;
  for (const uint16_t value : values) wide.push_back(bf16_to_f32(value));
  return wide;
}

unsigned up(int n, int by) { return static_cast<unsigned>((n + by - 1) / by); }

void run_planted(uint64_t seed) {
  for (int i = 0; i < simt_test::kPlantedCount; ++i) {
    const simt_test::Planted& planted = simt_test::kPlanted[i];
    Machine machine(kCheck);
    const std::vector<float> in = floats(64 * planted.blocks);
    std::vector<float> out(64 * planted.blocks);
    input(machine, in, "in");
    output(machine, out, "out");
    machine.launch({Dim3{static_cast<unsigned>(planted.blocks)}, Dim3{64}, 256, seed},
                   [&] { planted.kernel(in.data(), out.data()); });
    print(text(planted.finding ? planted.finding : "none", ": ", planted.name), machine, 0);
  }
}

void run_probes() {
  for (int i = 0; i < simt_test::kProbeCount; ++i) {
    const simt_test::Probe& probe = simt_test::kProbes[i];
    Machine machine(kCheck);
    const std::vector<float> in = floats(512);
    std::vector<float> out(64);
    input(machine, in, "in");
    output(machine, out, "out");
    machine.launch({Dim3{1}, Dim3{64}, static_cast<size_t>(probe.shared_bytes), 1},
                   [&] { probe.kernel(in.data(), out.data()); });
    print(probe.name, machine, 0);
  }
}

// in[i] = (7·i mod 31) − 15: integers, so that f16 is exact. Prints what was written.
void run_instructions(uint64_t seed) {
  for (int i = 0; i < simt_test::kInstructionCount; ++i) {
    const simt_test::Probe& probe = simt_test::kInstructions[i];
    Machine machine(kCheck);
    std::vector<float> in(512), out(128);
    for (int j = 0; j < 512; ++j) in[j] = static_cast<float>(7 * j % 31 - 15);
    input(machine, in, "in");
    output(machine, out, "out");
    machine.launch({Dim3{1}, Dim3{32}, static_cast<size_t>(probe.shared_bytes), seed},
                   [&] { probe.kernel(in.data(), out.data()); });
    std::string values;
    for (const float value : out) values += text(values.empty() ? "" : ",", static_cast<int64_t>(value));
    std::printf("{\"name\":\"%s\",\"clean\":%s,\"values\":[%s]}\n", probe.name,
                machine.report.findings.empty() ? "true" : "false", values.c_str());
  }
}

void run_rms_norm(int rows, int dim, uint64_t seed) {
  Machine machine(kCheck);
  const auto x = floats(static_cast<size_t>(rows) * dim), w = floats(dim);
  std::vector<float> y(x.size(), NAN);
  std::vector<uint16_t> half(x.size(), 0xFFFF);
  input(machine, x, "x");
  input(machine, w, "w");
  output(machine, y, "y");
  output(machine, half, "y");
  const simt::Launch launch{Dim3{static_cast<unsigned>(rows)}, Dim3{128}, 16, seed};
  machine.launch(launch, [&] { rms_norm_f32(x.data(), w.data(), y.data(), dim, 1e-5f); });
  std::vector<double> expected(x.size());
  for (int i = 0; i < rows; ++i) {
    double sum = 0;
    for (int j = 0; j < dim; ++j) sum += double{x[i * dim + j]} * x[i * dim + j];
    for (int j = 0; j < dim; ++j) expected[i * dim + j] = x[i * dim + j] / std::sqrt(sum / dim + 1e-5) * w[j];
  }
  print(text("rms_norm_f32 ", rows, "x", dim), machine, difference(y, expected));
  machine.launch(launch, [&] { rms_norm_bf16(x.data(), w.data(), half.data(), dim, 1e-5f); });
  print(text("rms_norm_bf16 ", rows, "x", dim), machine, difference(widen(half), expected));
}

void run_swiglu(int rows, int dim, uint64_t seed) {
  Machine machine(kCheck);
  const auto x = floats(static_cast<size_t>(rows) * dim * 2);
  std::vector<uint16_t> y(static_cast<size_t>(rows) * dim, 0xFFFF);
  input(machine, x, "x");
  output(machine, y, "y");
  machine.launch({Dim3{up(dim / 8, 128), static_cast<unsigned>(rows)}, Dim3{128}, 0, seed},
                 [&] { swiglu_bf16(x.data(), y.data(), dim); });
  std::vector<double> expected(y.size());
  for (int i = 0; i < rows; ++i)
    for (int j = 0; j < dim; ++j) {
      const double gate = x[i * dim * 2 + j];
      expected[i * dim + j] = gate / (1 + std::exp(-gate)) * x[i * dim * 2 + dim + j];
    }
  print(text("swiglu_bf16 ", rows, "x", dim), machine, difference(widen(y), expected));
}

void run_gemm_bf16(int M, int N, int K, uint64_t seed) {
  Machine machine(kCheck);
  const auto a = halves(static_cast<size_t>(M) * K), b = halves(static_cast<size_t>(N) * K);
  std::vector<float> y(static_cast<size_t>(M) * N, NAN);
  input(machine, a, "a");
  input(machine, b, "b");
  output(machine, y, "y");
  machine.launch({Dim3{up(N, 64), up(M, 64)}, Dim3{128}, kGemmShared, seed},
                 [&] { gemm_bf16(a.data(), b.data(), y.data(), M, N, K); });
  std::vector<double> expected(y.size());
  for (int i = 0; i < M; ++i)
    for (int j = 0; j < N; ++j)
      for (int k = 0; k < K; ++k) expected[i * N + j] += double{bf16_to_f32(a[i * K + k])} * bf16_to_f32(b[j * K + k]);
  print(text("gemm_bf16 ", M, "x", N, "x", K), machine, difference(y, expected));
}

// The reference adds in the order that kernels.h states, so the error must be 0: the same bits.
void run_gemm_s8(int M, int N, int K, uint64_t seed) {
  Machine machine(kCheck);
  std::vector<int8_t> a(static_cast<size_t>(M) * K), b(static_cast<size_t>(N) * K);
  for (auto* values : {&a, &b})
    for (int8_t& value : *values) value = static_cast<int8_t>(next_value() * 127);
  const int groups = K / 32;
  const auto a_scale = floats(static_cast<size_t>(M) * groups), b_scale = floats(static_cast<size_t>(N) * groups);
  std::vector<float> y(static_cast<size_t>(M) * N, NAN);
  input(machine, a, "a");
  input(machine, b, "b");
  input(machine, a_scale, "a_scale");
  input(machine, b_scale, "b_scale");
  output(machine, y, "y");
  machine.launch({Dim3{up(N, 64), up(M, 64)}, Dim3{128}, kGemmShared, seed},
                 [&] { gemm_s8(a.data(), a_scale.data(), b.data(), b_scale.data(), y.data(), M, N, K); });
  std::vector<double> expected;
  for (int i = 0; i < M; ++i)
    for (int j = 0; j < N; ++j) {
      float sum = 0;
      for (int g = 0; g < groups; ++g) {
        int dot = 0;
        for (int k = g * 32; k < g * 32 + 32; ++k) dot += a[i * K + k] * b[j * K + k];
        sum = std::fmaf(static_cast<float>(dot), a_scale[i * groups + g] * b_scale[j * groups + g], sum);
      }
      expected.push_back(sum);
    }
  print(text("gemm_s8 ", M, "x", N, "x", K), machine, difference(y, expected));
}

void run_attention(int dim, int queries, int keys, int heads, int kv_heads, uint64_t seed) {
  Machine machine(kCheck);
  const auto q = halves(static_cast<size_t>(queries) * heads * dim);
  const auto k = halves(static_cast<size_t>(keys) * kv_heads * dim), v = halves(k.size());
  std::vector<float> y(q.size(), NAN);
  input(machine, q, "q");
  input(machine, k, "k");
  input(machine, v, "v");
  output(machine, y, "y");
  const float scale = 1 / std::sqrt(static_cast<float>(dim));
  const auto kernel = dim == 64 ? attention_prefill_64 : attention_prefill_128;
  machine.launch({Dim3{up(queries, 64), static_cast<unsigned>(heads)}, Dim3{128}, 3u * 64 * dim * 2, seed},
                 [&] { kernel(q.data(), k.data(), v.data(), y.data(), queries, keys, heads, kv_heads, scale); });
  std::vector<double> expected(y.size());
  for (int i = 0; i < queries; ++i)
    for (int h = 0; h < heads; ++h) {
      const int sees = keys - queries + i + 1;
      std::vector<double> p(sees);
      double sum = 0;
      const auto row = [&](int key) { return (static_cast<size_t>(key) * kv_heads + h / (heads / kv_heads)) * dim; };
      const size_t at = (static_cast<size_t>(i) * heads + h) * dim;
      for (int j = 0; j < sees; ++j) {
        for (int d = 0; d < dim; ++d) p[j] += double{bf16_to_f32(q[at + d])} * bf16_to_f32(k[row(j) + d]);
        sum += p[j] = std::exp(p[j] * scale);
      }
      for (int j = 0; j < sees; ++j)
        for (int d = 0; d < dim; ++d) expected[at + d] += p[j] / sum * bf16_to_f32(v[row(j) + d]);
    }
  print(text("attention_prefill_", dim, " ", queries, " of ", keys, ", heads ", heads, "/", kv_heads), machine,
        difference(y, expected));
}

void run_kernels(uint64_t seed) {
  for (const int dim : kCheck ? std::vector{4, 576} : std::vector{4, 64, 576, 1536, 4096}) run_rms_norm(3, dim, seed);
  for (const int dim : kCheck ? std::vector{8, 1536} : std::vector{8, 576, 1536, 4096}) run_swiglu(2, dim, seed);
  struct Shape {
    int m, n, k;
  };
  const std::vector<Shape> small = {{64, 64, 96}, {70, 9, 32}, {1, 130, 160}};
  const std::vector<Shape> large = {{1, 576, 576}, {17, 192, 576}, {128, 128, 512}, {200, 72, 1536}, {65, 65, 32}};
  for (const Shape& s : kCheck ? small : large) {
    run_gemm_bf16(s.m, s.n, s.k, seed);
    run_gemm_bf16(s.m, s.n, s.k + 8, seed);
    run_gemm_s8(s.m, s.n, s.k, seed);
  }
  for (const int dim : {64, 128}) {
    run_attention(dim, 1, 1, 1, 1, seed);
    run_attention(dim, 70, 70, 2, 1, seed);
    run_attention(dim, 5, 133, 3, 1, seed);
    if (kCheck) continue;
    run_attention(dim, 128, 128, 4, 2, seed);
    run_attention(dim, 200, 333, 9, 3, seed);
  }
}

}  // namespace

int main(int count, char** words) {
  const std::string what = count > 1 ? words[1] : "";
  const uint64_t seed = count > 2 ? std::strtoull(words[2], nullptr, 10) : 0;
  if (what == "planted")
    run_planted(seed);
  else if (what == "probes")
    run_probes();
  else if (what == "instructions")
    run_instructions(seed);
  else if (what == "kernels")
    run_kernels(seed);
  else
    return std::fputs("usage: simt_check planted|probes|instructions|kernels [SEED]\n", stderr), 2;
}
