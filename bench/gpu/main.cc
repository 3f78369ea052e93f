// gpu_bench [--small] [VECTORS]: for a host with a card and nothing else. Every wrapper of ptx.h against the emulator, every kernel
// against the processor's bits, and how near each comes to what the memory and the integer units can do. The table comes
// last, and behind it one line of JSON. VECTORS: a file for the conformance vectors. --small: small sizes, for a sanitizer.
// After seven minutes what is left is left out, and that is said. Status 1: something was wrong.
//
// The floor of a kernel is the larger of bytes / bandwidth and operations / rate. Bandwidth is measured by a copy; the rate
// is the datasheet's for 8-bit integers, dense, where the card is known.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "bench/gpu/card.h"
#include "native/base/check.h"

using namespace kvasir;
using namespace kvasir::gpu_bench;

namespace {

// Operations a second; 0: unknown.
double integer_rate(const std::string& name) {
  if (name.find("H100 PCIe") != std::string::npos) return 1513e12;
  if (name.find("H100 NVL") != std::string::npos) return 1671e12;
  if (name.find("H100") != std::string::npos || name.find("H200") != std::string::npos) return 1979e12;
  if (name.find("A100") != std::string::npos) return 624e12;
  if (name.find("L40") != std::string::npos) return 733e12;
  return 0;
}

std::string json_name(std::string name) {
  std::replace(name.begin(), name.end(), '"', '\'');
  return name;
}

int run(const char* program, const std::string& vectors, bool small) {
  Card card(small);
  const auto& facts = card.card();
  std::fprintf(stderr, "%s, compute capability %d.%d, driver for CUDA %d.%d\n", facts.name.c_str(),
               facts.compute_capability / 10, facts.compute_capability % 10, card.driver_version() / 1000,
               card.driver_version() % 1000 / 10);
  const std::vector<std::string> wrong = conformance(card, vectors);
  for (const std::string& name : wrong) std::fprintf(stderr, "not as the emulator does: %s\n", name.c_str());
  const double bandwidth = copy_bandwidth(card), rate = integer_rate(facts.name);
  std::vector<Line> lines;
  for (const auto bench : {bench_rows, bench_attention, bench_linear}) {
    const std::vector<Line> more = bench(card);
    lines.insert(lines.end(), more.begin(), more.end());
    std::fprintf(stderr, "%zu kernels and shapes\n", lines.size());
  }

  const std::vector<std::string> sanitized = small ? std::vector<std::string>() : sanitize(program);

  std::printf("%-40s %10s %9s %9s %8s %10s\n", "kernel", "us", "GB/s", "Tops/s", "% floor", "different");
  std::string figures;
  int64_t different = 0;
  for (const Line& line : lines) {
    const double seconds = std::max(line.milliseconds, 1e-9) * 1e-3;
    const double floor = std::max(line.bytes / bandwidth, rate > 0 ? line.ops / (rate * line.rate) : 0);
    std::printf("%-40s %10.1f %9.0f %9.1f %8.1f %10lld\n", line.name.c_str(), seconds * 1e6,
                line.bytes / seconds * 1e-9, line.ops / seconds * 1e-12, 100 * floor / seconds,
                static_cast<long long>(line.different));
    figures += text(",\"", line.name, " us\":", seconds * 1e6, ",\"", line.name, " % floor\":", 100 * floor / seconds);
    different += line.different;
  }
  for (const std::string& line : sanitized) std::printf("%s\n", line.c_str());
  if (sanitized.empty() && !small) std::printf("compute-sanitizer is not on this machine\n");
  if (card.late()) std::printf("seven minutes are over: not every kernel was run\n");
  std::printf("copy: %.0f GB/s; %zu of the wrappers' cases differ; %lld bytes differ\n", bandwidth * 1e-9, wrong.size(),
              static_cast<long long>(different));
  std::printf(
      "{\"bench\":\"gpu\",\"card\":\"%s\",\"driver\":%d,\"emulated\":%s,\"figures\":{\"copy GB/s\":%.1f,\"wrappers "
      "that differ\":%zu,\"bytes that differ\":%lld%s}}\n",
      json_name(facts.name).c_str(), card.driver_version(), card.emulated() ? "true" : "false", bandwidth * 1e-9,
      wrong.size(), static_cast<long long>(different), figures.c_str());
  return wrong.empty() && different == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    const bool small = count > 1 && std::strcmp(arguments[1], "--small") == 0;
    const int file = small ? 2 : 1;
    return run(arguments[0], count > file ? arguments[file] : "", small);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s: %s\n", error.code, error.what());
    return 1;
  }
}
