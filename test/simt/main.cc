// Runs planted bugs, lint probes and kernels in the emulator, and prints a JSON line for each.
// Linked twice, with kernels instrumented (simt_check) and not (simt_fast).
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "native/base/check.h"
#include "test/simt/harness.h"
#include "test/simt/planted.h"

using namespace kvasir;
using simt::Dim3;
using simt::Machine;

namespace {

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
template <typename T>
void input(Machine& machine, const std::vector<T>& data, const char* name) {
  machine.add_buffer(data.data(), data.size() * sizeof(T), sizeof(T), name, true);
}
template <typename T>
void output(Machine& machine, const std::vector<T>& data, const char* name) {
  machine.add_buffer(data.data(), data.size() * sizeof(T), sizeof(T), name, false);
}

void run_planted(const simt_test::Planted* all, int count, uint64_t seed) {
  for (int i = 0; i < count; ++i) {
    const simt_test::Planted& planted = all[i];
    simt_test::Card card(seed);
    Machine& machine = card.machine;
    const auto blocks = static_cast<unsigned>(planted.blocks), threads = static_cast<unsigned>(planted.threads);
    const std::vector<float> in = floats(planted.floats * blocks);
    std::vector<float> out(threads * blocks);
    input(machine, in, "in");
    output(machine, out, "out");
    simt::Launch launch{Dim3{blocks}, Dim3{threads}, static_cast<size_t>(planted.shared_bytes)};
    launch.registers = planted.registers;
    launch.seed = seed;
    machine.launch(launch, [&] { planted.kernel(in.data(), out.data()); });
    if (planted.result == simt_test::Result::reversed && !std::equal(in.begin(), in.end(), out.rbegin()))
      machine.report.add("values", "the output is not the input backwards");
    if (planted.result == simt_test::Result::zeros &&
        std::any_of(out.begin(), out.end(), [](float x) { return x != 0; }))
      machine.report.add("values", "the output is not the definition's");
    simt_test::print(text(planted.finding ? planted.finding : "none", ": ", planted.name), card, 0);
  }
}

void run_probes() {
  const uint64_t seed = 1;
  for (int i = 0; i < simt_test::kProbeCount; ++i) {
    const simt_test::Probe& probe = simt_test::kProbes[i];
    simt_test::Card card(seed);
    Machine& machine = card.machine;
    const std::vector<float> in = floats(512);
    std::vector<float> out(64);
    input(machine, in, "in");
    output(machine, out, "out");
    simt::Launch launch{Dim3{1}, Dim3{64}, static_cast<size_t>(probe.shared_bytes)};
    launch.seed = seed;
    machine.launch(launch, [&] { probe.kernel(in.data(), out.data()); });
    simt_test::print(probe.name, card, 0);
  }
}

// in[i] = (7·i mod 31) − 15: integers, so that f16 is exact. Prints what was written.
void run_instructions(uint64_t seed) {
  for (int i = 0; i < simt_test::kInstructionCount; ++i) {
    const simt_test::Probe& probe = simt_test::kInstructions[i];
    simt_test::Card card(seed);
    Machine& machine = card.machine;
    std::vector<float> in(512), out(128);
    for (int j = 0; j < 512; ++j) in[j] = static_cast<float>(7 * j % 31 - 15);
    input(machine, in, "in");
    output(machine, out, "out");
    simt::Launch launch{Dim3{1}, Dim3{32}, static_cast<size_t>(probe.shared_bytes)};
    launch.seed = seed;
    machine.launch(launch, [&] { probe.kernel(in.data(), out.data()); });
    std::string values;
    for (const float value : out) values += text(values.empty() ? "" : ",", static_cast<int64_t>(value));
    std::printf("{\"name\":\"%s\",\"clean\":%s,\"values\":[%s]}\n", probe.name,
                machine.report.findings.empty() ? "true" : "false", values.c_str());
  }
}

}  // namespace

int main(int count, char** words) {
  const std::string what = count > 1 ? words[1] : "";
  const uint64_t seed = count > 2 ? std::strtoull(words[2], nullptr, 10) : 0;
  if (count > 3 && std::string(words[3]) == "all") simt_test::few_shapes = false;
  if (what == "planted")
    run_planted(simt_test::kPlanted, simt_test::kPlantedCount, seed),
        run_planted(simt_test::kPlantedPipelines, simt_test::kPlantedPipelineCount, seed),
        run_planted(simt_test::kPlantedHopper, simt_test::kPlantedHopperCount, seed),
        run_planted(simt_test::kPlantedAcross, simt_test::kPlantedAcrossCount, seed);
  else if (what == "probes")
    run_probes();
  else if (what == "instructions")
    run_instructions(seed);
  else if (what == "kernels")
    simt_test::print_kernels();
  else if (what == "lint")
    simt_test::run_lint();
  else if (what == "rowwise")
    simt_test::run_rowwise(seed);
  else if (what == "linear")
    simt_test::run_linear(seed);
  else if (what == "attention")
    simt_test::run_attention(seed);
  else if (what == "tensor")
    simt_test::run_tensor_attention(seed), simt_test::run_tensor_linear(seed);
  else if (what == "sample")
    simt_test::run_sample(seed);
  else
    return std::fputs(
               "usage: simt_check planted|probes|instructions|kernels|lint|rowwise|linear|attention|tensor|sample "
               "[SEED [all]]\n",
               stderr),
           2;
}
