// The card's own answers to native/cuda/conformance.cu against the emulator's.
#include "native/cuda/conformance.h"

#include <cstdio>
#include <cstring>
#include <random>

#include "bench/gpu/card.h"
#include "native/base/check.h"
#include "native/simt/machine.h"

namespace kvasir::cuda {
extern "C" void conformance(const Conformance);
}

namespace kvasir::gpu_bench {
namespace {

constexpr size_t kLaneWords = cuda::kConformanceWords, kCaseWords = 32 * kLaneWords;

std::vector<uint32_t> emulated(const std::vector<uint32_t>& in) {
  std::vector<uint32_t> out(in.size());
  const cuda::Conformance op{in.data(), out.data()};
  simt::Machine machine(false);
  machine.launch(
      {.grid = {cuda::kConformanceCases, 1, 1}, .block = {32, 1, 1}, .shared_bytes = cuda::kConformanceShared},
      [&] { cuda::conformance(op); });
  KV_CHECK(machine.report.findings.empty(), "INTERNAL",
           "the emulator: ", machine.report.findings.begin()->second.first);
  return out;
}

void write(const std::string& path, const std::vector<uint32_t>& in, const std::vector<uint32_t>& out) {
  FILE* file = std::fopen(path.c_str(), "wb");
  KV_CHECK(file, "KV_DISK", "cannot write ", path);
  std::fwrite(in.data(), 4, in.size(), file);
  std::fwrite(out.data(), 4, out.size(), file);
  std::fclose(file);
}

}  // namespace

std::vector<std::string> conformance(Card& card, const std::string& path) {
  std::mt19937 random(11);
  std::vector<uint32_t> in(cuda::kConformanceCases * kCaseWords);
  for (uint32_t& word : in) word = random();
  const auto in_there = card.put(in.data(), in.size() * 4), out_there = card.room(in.size() * 4);
  const cuda::Conformance op{reinterpret_cast<const uint32_t*>(in_there.data()),
                             reinterpret_cast<uint32_t*>(out_there.data())};
  cuda::Launches launches;
  launches.count = 1;
  launches.launch[0] = {"conformance", {cuda::kConformanceCases, 1, 1}, {32, 1, 1}, cuda::kConformanceShared};
  card.queue(launches, &op);
  const std::vector<uint8_t> bytes = card.get(out_there.data(), in.size() * 4);
  std::vector<uint32_t> out(in.size());
  std::memcpy(out.data(), bytes.data(), bytes.size());
  if (!path.empty()) write(path, in, out);

  const std::vector<uint32_t> expected = emulated(in);
  std::vector<std::string> wrong;
  for (int c = 0; c < cuda::kConformanceCases; ++c) {
    int words = 0;
    for (size_t i = c * kCaseWords; i < (c + 1) * kCaseWords; ++i) words += out[i] != expected[i];
    if (words) wrong.push_back(text(cuda::kConformance[c], " (", words, " of ", kCaseWords, " words)"));
  }
  return wrong;
}

}  // namespace kvasir::gpu_bench
