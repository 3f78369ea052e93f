// Feeds damaged tapes to the parser and runs what it accepts, on kernels that compute nothing but touch every byte that
// their arguments allow. Built with AddressSanitizer, so that a byte too far ends the process.
//
//   program_fuzz trace TAPE                  the arguments of every kernel call of one step, as text
//   program_fuzz fuzz COUNT SEED TAPE…       one line of JSON: how many tapes were rejected, accepted, run

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "native/base/check.h"
#include "native/executor/run.h"
#include "test/native/touch_kernels.h"

namespace kvasir {
namespace {

using namespace touch;

constexpr int kSlots = 4;
constexpr int kPages = 4;
constexpr int64_t kMostBytes = int64_t{1} << 26;  // of a damaged tape's memory; a larger one is not run

// --- one step at the maxima of a program --------------------------------------------------------------------------

struct Step {
  std::vector<int32_t> ids, of_token, start, position, block_start, blocks, seq_slot;
  std::vector<int32_t> row_index, row_slot, row_position, row_target;
};

// T tokens in min(S, T) sequences, each of which holds all pages; the last sequence takes what is left over.
Step make_step(const StepLimits& limits) {
  Step step;
  const int sequences = std::max(1, std::min<int32_t>({limits.sequences, limits.tokens, kSlots}));
  step.start = {0};
  step.block_start = {0};
  for (int s = 0; s < sequences; ++s) {
    const int count = s + 1 < sequences ? 1 : limits.tokens - step.start.back();
    for (int t = 0; t < count; ++t) step.of_token.push_back(s);
    step.start.push_back(step.start.back() + count);
    step.position.push_back(0);
    step.seq_slot.push_back(s);
    for (int page = 0; page < kPages; ++page) step.blocks.push_back(page);
    step.block_start.push_back(static_cast<int32_t>(step.blocks.size()));
  }
  for (int t = 0; t < limits.tokens; ++t) step.ids.push_back(t % 2 ? limits.vocab - 1 : -1 - t % kSlots);
  for (int r = 0; r < limits.rows; ++r) {
    step.row_index.push_back(limits.tokens - 1);
    step.row_slot.push_back(r % kSlots);
    step.row_position.push_back(r);
    step.row_target.push_back(r % 2 ? -1 : limits.vocab - 1);
  }
  return step;
}

template <typename T>
std::unique_ptr<T, decltype(&std::free)> aligned(int64_t bytes) {
  const int64_t size = std::max<int64_t>(bytes, 1);
  void* memory = nullptr;
  KV_CHECK(posix_memalign(&memory, 64, size) == 0, "KV_NATIVE", "no memory");
  std::memset(memory, 0, size);
  return {static_cast<T*>(memory), std::free};
}

// False when the program is too large to run here.
bool run_once(const Program& program, int64_t most_bytes) {
  const StepLimits limits = program.limits();
  if (limits.tokens < 1 || limits.tokens > 4096 || limits.rows > 4096 || program.arena_bytes() > most_bytes)
    return false;

  Weights weights;
  std::vector<std::unique_ptr<uint8_t, decltype(&std::free)>> memory;
  int64_t total = 0;
  for (const auto& shape : program.weights) {
    const Dtype dtype = shape.need == tape::WeightNeed::quantised ? Dtype::q8_0 : Dtype::f32;
    if (shape.columns % block_of(dtype).values != 0) return false;
    const int64_t bytes = row_bytes(dtype, shape.columns) * shape.rows;
    if ((total += bytes) > most_bytes) return false;
    memory.push_back(aligned<uint8_t>(bytes));
    weights.list.push_back({memory.back().get(), dtype, shape.rows, shape.columns, row_bytes(dtype, shape.columns)});
  }

  const tape::Header& h = program.header;
  KvCache kv{nullptr, Dtype::kv8, h.kv_layers, kPages, h.kv_heads, h.kv_head_dim};
  if (kv.bytes() > most_bytes) return false;
  const auto kv_memory = aligned<uint8_t>(kv.bytes());
  kv.base = kv_memory.get();
  check_bindings(program, weights, kv);

  const auto arena = aligned<uint8_t>(program.arena_bytes());
  arena_base = arena.get();
  bound = &weights;
  const Step step = make_step(limits);
  std::vector<SequenceSlot> slots(kSlots);
  std::vector<int32_t> last_sampled(kSlots, 0);
  std::vector<SampleResult> results(limits.rows);
  const StepInputs inputs = {
      .tokens = limits.tokens,
      .rows = limits.rows,
      .token_ids = step.ids.data(),
      .sequences = {static_cast<int32_t>(step.position.size()), step.start.data(), step.position.data(),
                    step.block_start.data(), step.blocks.data(), step.of_token.data()},
      .seq_slot = step.seq_slot.data(),
      .row_index = step.row_index.data(),
      .row_slot = step.row_slot.data(),
      .row_position = step.row_position.data(),
      .row_target = step.row_target.data(),
      .slots = slots.data(),
      .last_sampled = last_sampled.data(),
      .results = results.data(),
  };
  std::atomic<int64_t> ticket{0};
  Worker worker;
  worker.ticket = &ticket;
  run_tape(program, {.weights = &weights, .kv = kv, .arena = arena.get(), .kernels = &kTouch}, inputs, worker);
  return true;
}

// --- damage -------------------------------------------------------------------------------------------------------

std::vector<int32_t> read_words(const char* path) {
  std::ifstream file(path, std::ios::binary);
  KV_CHECK(file, "KV_NOT_FOUND", "cannot read ", path);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  std::vector<int32_t> words(bytes.size() / 4);
  std::memcpy(words.data(), bytes.data(), words.size() * 4);
  return words;
}

void damage(std::vector<int32_t>& words, std::mt19937& random) {
  const auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  const int changes = 1 + static_cast<int>(below(3));
  for (int i = 0; i < changes && !words.empty(); ++i) {
    int32_t& word = words[below(words.size())];
    switch (below(9)) {
      case 0:
        word = static_cast<int32_t>(random());
        break;
      case 1:
        word ^= int32_t{1} << below(31);
        break;
      case 2:
        word = words[below(words.size())];
        break;
      case 3:
        word = std::array<int32_t, 7>{0, 1, -1, INT32_MAX, INT32_MIN, 1 << 20, 1 << 24}[below(7)];
        break;
      case 4:
        words.resize(below(words.size()) + 1);
        break;
      case 5:
        words.insert(words.begin() + static_cast<int64_t>(below(words.size())), word);
        break;
      case 6: {  // one size, wherever it stands
        const int32_t old = word;
        const int32_t now = static_cast<int32_t>(static_cast<uint32_t>(old) + static_cast<uint32_t>(below(129)) - 64u);
        std::replace(words.begin(), words.end(), old, now);
        break;
      }
      default:
        word = static_cast<int32_t>(static_cast<uint32_t>(word) + (below(2) ? 1u : ~0u));
    }
  }
}

int fuzz(int count, unsigned seed, const std::vector<std::vector<int32_t>>& tapes) {
  std::mt19937 random(seed);
  int rejected = 0, accepted = 0, ran = 0;
  for (int i = 0; i < count; ++i) {
    std::vector<int32_t> words = tapes[i % tapes.size()];
    damage(words, random);
    try {
      const auto program = parse_program(words.data(), words.size());
      ++accepted;
      ran += run_once(*program, kMostBytes);
    } catch (const Error&) {
      ++rejected;
    }
  }
  std::printf("{\"rejected\":%d,\"accepted\":%d,\"ran\":%d}\n", rejected, accepted, ran);
  return 0;
}

}  // namespace
}  // namespace kvasir

int main(int argc, char** argv) {
  using namespace kvasir;
  try {
    const std::string mode = argc > 2 ? argv[1] : "";
    if (mode == "trace") {
      const auto words = read_words(argv[2]);
      trace = &std::cout;
      return run_once(*parse_program(words.data(), words.size()), INT64_MAX) ? 0 : 3;
    }
    if (mode == "fuzz" && argc > 4) {
      std::vector<std::vector<int32_t>> tapes;
      for (int i = 4; i < argc; ++i) tapes.push_back(read_words(argv[i]));
      return fuzz(std::atoi(argv[2]), static_cast<unsigned>(std::atoi(argv[3])), tapes);
    }
    std::fprintf(stderr, "usage: program_fuzz trace TAPE | fuzz COUNT SEED TAPE…\n");
  } catch (const Error& error) {
    std::fprintf(stderr, "%s: %s\n", error.code, error.what());
  }
  return 2;
}
