// The card's own answers to native/cuda/conformance.cu against the emulator's.
#include "native/cuda/conformance.h"

#include <cstdio>
#include <cstring>
#include <random>

#include "bench/gpu/card.h"
#include "native/base/check.h"
#include "native/cuda/hopper/conformance_hopper.h"
#include "native/simt/machine.h"

namespace kvasir::cuda {
extern "C" void conformance(const Conformance);
extern "C" void conformance_hopper(const HopperConformance);
}  // namespace kvasir::cuda

namespace kvasir::gpu_bench {
namespace {

constexpr size_t kCaseWords = 32 * cuda::kConformanceWords, kHopperCaseWords = 128 * cuda::kHopperWords;

void emulate(int cases, unsigned threads, unsigned shared_bytes, const std::function<void()>& kernel) {
  simt::Machine machine(false);
  simt::Launch launch{{static_cast<unsigned>(cases), 1, 1}, {threads, 1, 1}, shared_bytes};
  machine.launch(launch, kernel);
  KV_CHECK(machine.report.findings.empty(), "INTERNAL",
           "the emulator: ", machine.report.findings.begin()->second.first);
}

std::vector<uint32_t> words(size_t count) {
  std::mt19937 random(11);
  std::vector<uint32_t> all(count);
  for (uint32_t& word : all) word = random();
  return all;
}

std::vector<uint32_t> words_from(Card& card, const driver::DeviceMemory& memory, size_t count) {
  const std::vector<uint8_t> bytes = card.get(memory.data(), count * 4);
  std::vector<uint32_t> all(count);
  std::memcpy(all.data(), bytes.data(), bytes.size());
  return all;
}

uint32_t* words_at(const driver::DeviceMemory& memory) { return reinterpret_cast<uint32_t*>(memory.data()); }

void write(const std::string& path, const std::vector<uint32_t>& in, const std::vector<uint32_t>& out) {
  if (path.empty()) return;
  FILE* file = std::fopen(path.c_str(), "ab");
  KV_CHECK(file, "KV_DISK", "cannot write ", path);
  std::fwrite(in.data(), 4, in.size(), file);
  std::fwrite(out.data(), 4, out.size(), file);
  std::fclose(file);
}

void compare(const char* const* names, int cases, size_t words, const std::vector<uint32_t>& found,
             const std::vector<uint32_t>& expected, std::vector<std::string>& wrong) {
  for (int c = 0; c < cases; ++c) {
    int different = 0;
    for (size_t i = c * words; i < (c + 1) * words; ++i) different += found[i] != expected[i];
    if (different) wrong.push_back(text(names[c], " (", different, " of ", words, " words)"));
  }
}

void run_hopper(Card& card, const std::string& path, std::vector<std::string>& wrong) {
  const auto in = words(cuda::kHopperRows * cuda::kHopperCols / 4);
  std::vector<uint32_t> expected(cuda::kHopperCases * kHopperCaseWords);
  const auto in_there = card.put(in.data(), in.size() * 4), out_there = card.room(expected.size() * 4);
  const auto op = cuda::hopper_conformance(words_at(in_there), words_at(out_there),
                                           [&](const cuda::Boxes& boxes) { return card.encode(boxes); });
  cuda::Launches launches;
  launches.count = 1;
  launches.launch[0] = {"conformance_hopper", {cuda::kHopperCases, 1, 1}, {128, 1, 1}, cuda::kHopperShared};
  card.queue(launches, &op);
  const auto found = words_from(card, out_there, expected.size());
  write(path, in, found);
  const auto same = cuda::hopper_conformance(in.data(), expected.data(),
                                             [](const cuda::Boxes& boxes) { return simt::encode(boxes); });
  emulate(cuda::kHopperCases, 128, cuda::kHopperShared, [&] { cuda::conformance_hopper(same); });
  compare(cuda::kHopperConformance, cuda::kHopperCases, kHopperCaseWords, found, expected, wrong);
}

}  // namespace

std::vector<std::string> conformance(Card& card, const std::string& path) {
  if (!path.empty()) std::remove(path.c_str());
  const auto in = words(cuda::kConformanceCases * kCaseWords);
  const auto in_there = card.put(in.data(), in.size() * 4), out_there = card.room(in.size() * 4);
  const cuda::Conformance op{words_at(in_there), words_at(out_there)};
  cuda::Launches launches;
  launches.count = 1;
  launches.launch[0] = {"conformance", {cuda::kConformanceCases, 1, 1}, {32, 1, 1}, cuda::kConformanceShared};
  card.queue(launches, &op);
  const auto found = words_from(card, out_there, in.size());
  write(path, in, found);
  std::vector<uint32_t> expected(in.size());
  const cuda::Conformance same{in.data(), expected.data()};
  emulate(cuda::kConformanceCases, 32, cuda::kConformanceShared, [&] { cuda::conformance(same); });
  std::vector<std::string> wrong;
  compare(cuda::kConformance, cuda::kConformanceCases, kCaseWords, found, expected, wrong);
  if (card.has_wgmma()) run_hopper(card, path, wrong);
  return wrong;
}

}  // namespace kvasir::gpu_bench
