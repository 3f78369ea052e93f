#include "native/executor/cuda/slots.h"

#include <cstring>
#include <map>

namespace kvasir::cuda {
namespace {

template <typename T>
size_t bytes_of(const std::vector<T>& values) {
  return values.size() * sizeof(T);
}

}  // namespace

CardSlots::CardSlots(driver::ContextPtr context, driver::Stream& stream, int count, int32_t vocab)
    : context_(std::move(context)),
      stream_(stream),
      vocab_(vocab),
      samplers_(context_, count * sizeof(SamplerSlot)),
      last_sampled_(context_, count * sizeof(int32_t)),
      rooms_(count) {
  const std::vector<SamplerSlot> greedy(count);
  stream_.copy_in(samplers_.data(), greedy.data(), bytes_of(greedy));
  stream_.zero(last_sampled_.data(), last_sampled_.size());
}

void CardSlots::make_room_to_pool(int32_t dim) {
  const size_t bytes = rooms_.size() * dim * sizeof(float);
  if (pooled_.size() >= bytes) return;
  pooled_ = driver::DeviceMemory(context_, bytes);
  stream_.zero(pooled_.data(), bytes);
}

void CardSlots::open(int index, const SamplerParams& params, const std::vector<int32_t>& prompt) {
  Room& room = rooms_[index];
  SamplerSlot slot;
  slot.temperature = params.temperature;
  slot.top_k = params.top_k;
  slot.top_p = params.top_p;
  slot.min_p = params.min_p;
  slot.repetition_penalty = params.repetition_penalty;
  slot.frequency_penalty = params.frequency_penalty;
  slot.presence_penalty = params.presence_penalty;
  slot.top_logprobs = params.top_logprobs;
  slot.seed = params.seed;
  put_lists(room, params, slot);
  put_counts(room, params, prompt, slot);
  stream_.copy_in(samplers_.data() + index * sizeof slot, &slot, sizeof slot);
  stream_.zero(last_sampled_.data() + index * sizeof(int32_t), sizeof(int32_t));
}

void CardSlots::put_lists(Room& room, const SamplerParams& params, SamplerSlot& slot) {
  std::map<int32_t, float> biases;  // the same id may come more than once
  for (const auto& [id, bias] : params.logit_bias)
    if (id >= 0 && id < vocab_) biases[id] += bias;
  std::vector<int32_t> ids;
  std::vector<float> values;
  for (const auto& [id, bias] : biases) {
    ids.push_back(id);
    values.push_back(bias);
  }
  slot.biases = static_cast<int32_t>(ids.size());
  slot.stops = static_cast<int32_t>(params.stop_tokens.size());
  const size_t each = bytes_of(ids), stops = bytes_of(params.stop_tokens);
  if (room.lists.size() < 3 * each + stops) {
    stream_.wait();  // steps that are queued may read what is given back
    room.lists = driver::DeviceMemory(context_, 3 * each + stops + 64);
  }
  uint8_t* at = room.lists.data();
  slot.bias_id = reinterpret_cast<const int32_t*>(at);
  slot.bias = reinterpret_cast<const float*>(at + each);
  slot.bias_room = reinterpret_cast<float*>(at + 2 * each);
  slot.stop_id = reinterpret_cast<const int32_t*>(at + 3 * each);
  stream_.copy_in(at, ids.data(), each);
  stream_.copy_in(at + each, values.data(), each);
  stream_.copy_in(at + 3 * each, params.stop_tokens.data(), stops);
}

void CardSlots::put_counts(Room& room, const SamplerParams& params, const std::vector<int32_t>& prompt,
                           SamplerSlot& slot) {
  if (params.repetition_penalty == 1 && params.frequency_penalty == 0 && params.presence_penalty == 0) return;
  std::vector<uint16_t> counts(vocab_, 0);
  for (const int32_t id : prompt)
    if (id >= 0 && id < vocab_) counts[id] = kInPrompt;
  if (room.counts.size() == 0) room.counts = driver::DeviceMemory(context_, bytes_of(counts));
  stream_.copy_in(room.counts.data(), counts.data(), bytes_of(counts));
  slot.counts = reinterpret_cast<uint16_t*>(room.counts.data());
}

}  // namespace kvasir::cuda
