// sample and pool against the processor's: the same ids, and log-probabilities to the rounding of a sum.
#include <algorithm>

#include "native/base/check.h"
#include "test/simt/harness.h"

namespace kvasir::simt_test {
namespace {

// What a slot's sampler needs in the memory of a card.
struct SlotMemory {
  std::vector<int32_t> bias_id, stops;
  std::vector<float> bias, room;
  std::vector<uint16_t> counts;

  SlotMemory(const SequenceSlot& slot, int vocab) : stops(slot.params.stop_tokens) {
    for (const auto& [id, bias_of] : slot.params.logit_bias) {
      bias_id.push_back(id);
      bias.push_back(bias_of);
    }
    room.resize(bias.size());
    counts.resize(vocab);
    for (const auto& [id, times] : slot.counts) counts[id] = static_cast<uint16_t>(times);
    for (const int32_t id : slot.prompt) counts[id] |= cuda::kInPrompt;
  }
  cuda::SamplerSlot view(const SamplerParams& p) {
    return {p.temperature,
            p.top_k,
            p.top_p,
            p.min_p,
            p.repetition_penalty,
            p.frequency_penalty,
            p.presence_penalty,
            p.top_logprobs,
            p.seed,
            static_cast<int32_t>(bias.size()),
            static_cast<int32_t>(stops.size()),
            bias_id.data(),
            bias.data(),
            room.data(),
            stops.data(),
            counts.data()};
  }
};

SequenceSlot random_slot(int kind, int vocab, Random& random) {
  SequenceSlot slot;
  SamplerParams& p = slot.params;
  p.seed = random() * uint64_t{0x100000001};
  if (kind > 0) p.temperature = std::vector{0.3f, 0.8f, 1.0f, 2.5f}[random() % 4];
  if (kind & 2) p.top_k = std::vector{1, 3, 40, vocab / 2}[random() % 4];
  if (kind & 4) p.top_p = std::vector{0.05f, 0.5f, 0.9f, 0.999f}[random() % 4];
  if (kind & 8) p.min_p = std::vector{0.02f, 0.2f, 1.0f}[random() % 3];
  if (kind % 3 == 0) p.top_logprobs = static_cast<int32_t>(random() % 6);
  if (kind % 5 == 0) {
    for (int i = 0; i < 5 && i < vocab; ++i)  // each id once
      p.logit_bias.emplace_back(i * std::max(1, vocab / 7), static_cast<float>(random() % 7) - 3);
    p.stop_tokens = {3, static_cast<int32_t>(random() % vocab)};
  }
  if (kind % 4 == 1) {
    p.repetition_penalty = 1.3f;
    p.frequency_penalty = 0.2f;
    p.presence_penalty = kind % 8 == 1 ? 0.5f : 0.0f;
    for (int id = 0; id < vocab; id += 1 + vocab / 20) slot.counts.emplace_back(id, 1 + random() % 3);
    for (int id = 2; id < vocab; id += 1 + vocab / 30) slot.prompt.push_back(id);
  }
  return slot;
}

float off(float found, float expected) { return std::fabs(found - expected) / (1 + std::fabs(expected)); }

void run_case(int vocab, uint64_t seed) {
  constexpr int kSlots = 18;
  Card card(seed);
  Random random(static_cast<unsigned>(seed * 131 + vocab));
  Buffer logits = test::random_activations(Dtype::f32, kSlots, vocab, random);
  const Rows rows = rows_in(logits, Dtype::f32, kSlots, vocab);
  for (int row = 0; row < kSlots; ++row)
    for (int i = 0; i < vocab; ++i) {
      float& logit = rows.f32(row)[i];
      logit = row % 4 == 3 ? std::round(logit * 2) : logit * 3;  // many equal ones, or none
      if (random() % 50 == 0) logit = random() % 2 ? NAN : -INFINITY;
    }
  std::vector<SequenceSlot> slots;
  std::vector<SlotMemory> memory;
  std::vector<cuda::SamplerSlot> views;
  std::vector<int32_t> slot, position, target;
  for (int i = 0; i < kSlots; ++i) {
    slots.push_back(random_slot(i % 16, vocab, random));
    memory.emplace_back(slots.back(), vocab);
    slot.push_back((i * 5 + 2) % kSlots);
    position.push_back(static_cast<int32_t>(random() % 4000));
    target.push_back(i >= 16 ? static_cast<int32_t>(random() % vocab) : -1);
  }
  for (int i = 0; i < kSlots; ++i) views.push_back(memory[i].view(slots[i].params));
  // What may follow, for every third row: the processor gets it as logits, so its own log-probabilities are left out.
  const int words = 1 + (vocab + 31) / 32;
  std::vector<int32_t> mask(kSlots, -1);
  std::vector<uint32_t> masks;
  for (int i = 0; i < kSlots; ++i) {
    if (i % 3 != 1 || target[i] >= 0) continue;
    mask[i] = static_cast<int32_t>(masks.size()) / words;
    slots[slot[i]].params.top_logprobs = -1;
    masks.resize(masks.size() + words);
    uint32_t* bits = masks.data() + masks.size() - words;
    int first = -1;
    for (int id = vocab - 1; id >= 0; --id)
      if (i != 7 && (id % 5 == i % 5 || vocab == 1)) bits[1 + id / 32] |= 1u << id % 32, first = id;
    bits[0] = static_cast<uint32_t>(first);
  }
  for (int i = 0; i < kSlots; ++i) views[i].top_logprobs = slots[i].params.top_logprobs;
  std::vector<int32_t> last(kSlots, -5), same_last(kSlots, -5);
  std::vector<SampleResult> results(kSlots), same_results(kSlots);
  Buffer same_logits(logits.size);
  std::memcpy(same_logits.get(), logits.get(), logits.size);
  const Rows same_rows = rows_in(same_logits, Dtype::f32, kSlots, vocab);
  const auto may_come = [&](int row, int id) {
    return mask[row] < 0 || masks[mask[row] * words + 1 + id / 32] >> id % 32 & 1;
  };
  for (int i = 0; i < kSlots; ++i)
    for (int id = 0; id < vocab; ++id)
      if (!may_come(i, id)) same_rows.f32(i)[id] = -INFINITY;

  card.has(logits, 4, "logits");
  card.has(slot, "slot");
  card.has(position, "position");
  card.has(target, "target");
  card.has(mask, "mask");
  card.has(masks, "masks");
  card.has(views.data(), views.size() * sizeof(views[0]), 4, "slots");
  card.has(last, "last_sampled");
  card.has(results.data(), results.size() * sizeof(results[0]), 1, "results");
  for (SlotMemory& m : memory) {
    card.has(m.bias_id, "bias_id");
    card.has(m.bias, "bias");
    card.has(m.room.data(), m.room.size() * 4, 4, "bias_room", false);
    card.has(m.stops, "stops");
    card.has(m.counts, "counts");
  }
  card.run(cuda::DeviceSample{rows, slot.data(), position.data(), target.data(), mask.data(), masks.data(), words,
                              views.data(), last.data(), results.data()});
  run_on_cpu(&cpu::KernelTable::sample, Sample{same_rows, slot.data(), position.data(), target.data(), slots.data(),
                                               same_last.data(), same_results.data()});

  int64_t different = 0;
  double error = 0;
  for (int i = 0; i < kSlots; ++i) {
    const SampleResult &a = results[i], &b = same_results[i];
    if (mask[i] >= 0) {
      different += mask[i] >= 0 && i != 7 ? !may_come(i, a.id) : a.id != 0;
      if (!may_come(i, b.id)) continue;  // no logit in it is a number: the first of it
    }
    different += a.id != b.id || a.stop != b.stop || a.top_count != b.top_count || last[i] != same_last[i];
    error = std::max<double>(error, off(a.logprob, b.logprob));
    for (int j = 0; j < std::min(a.top_count, b.top_count); ++j) {
      different += a.top_id[j] != b.top_id[j];
      error = std::max<double>(error, off(a.top_logprob[j], b.top_logprob[j]));
    }
    if (slots[i].params.repetition_penalty == 1) continue;
    for (const auto& [id, times] : slots[i].counts) different += (memory[i].counts[id] & 0x7FFF) != times;
  }
  print(text("sample ", vocab), card, different, error);
}

void run_pool(bool mean, uint64_t seed) {
  Card card(seed);
  Random random(static_cast<unsigned>(seed));
  constexpr int kDim = 200;
  const std::vector<int32_t> start = {0, 3, 4, 9}, position = {0, 7, 2}, slot = {2, 0, 1};
  const Buffer x = test::random_activations(Dtype::f32, start.back(), kDim, random);
  std::vector<SequenceSlot> slots(3);
  std::vector<float> pooled(3 * kDim);
  for (int i = 0; i < 3 * kDim; ++i) pooled[i] = static_cast<float>(i);
  for (int s = 0; s < 3; ++s) slots[s].pooled.assign(pooled.begin() + s * kDim, pooled.begin() + (s + 1) * kDim);
  StepSequences sequences;
  sequences.count = 3;
  sequences.start = start.data();
  sequences.position = position.data();
  card.has(x, 4, "x");
  card.has(start, "start");
  card.has(position, "position");
  card.has(slot, "slot");
  card.has(pooled, "pooled");
  const Rows rows = rows_in(x, Dtype::f32, start.back(), kDim);
  card.run(cuda::DevicePool{sequences, slot.data(), rows, mean, pooled.data()});
  run_on_cpu(&cpu::KernelTable::pool, Pool{sequences, slot.data(), rows, mean, slots.data()});
  int64_t different = 0;
  for (int s = 0; s < 3; ++s)
    for (int i = 0; i < kDim; ++i) different += pooled[s * kDim + i] != slots[s].pooled[i];
  print(mean ? "pool mean" : "pool last", card, different);
}

}  // namespace

void run_sample(uint64_t seed) {
  for (const int vocab : few_shapes ? std::vector{100, 1500} : std::vector{1, 31, 512, 5000, 49152})
    run_case(vocab, seed);
  run_pool(true, seed);
  run_pool(false, seed);
}

}  // namespace kvasir::simt_test
