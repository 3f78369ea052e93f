// What a card remembers of its sequences between steps: how each samples, what it sampled last, its pooled vector.
#pragma once

#include <vector>

#include "native/cuda/contract.h"
#include "native/driver/stream.h"
#include "native/ops/sample.h"

namespace kvasir::cuda {

class CardSlots {
 public:
  CardSlots(driver::ContextPtr context, driver::Stream& stream, int count, int32_t vocab);

  // Queued after the steps before it. `prompt`: any order; used under a repetition penalty.
  void open(int slot, const SamplerParams& params, const std::vector<int32_t>& prompt);

  const SamplerSlot* samplers() const { return reinterpret_cast<const SamplerSlot*>(samplers_.data()); }
  int32_t* last_sampled() const { return reinterpret_cast<int32_t*>(last_sampled_.data()); }
  // Before the first step that pools vectors of `dim`.
  void make_room_to_pool(int32_t dim);
  float* pooled() const { return reinterpret_cast<float*>(pooled_.data()); }

 private:
  // Memory of one slot, kept for the next sequence in it.
  struct Room {
    driver::DeviceMemory lists;   // bias ids, biases, room for them, stop ids
    driver::DeviceMemory counts;  // [vocab]
  };
  void put_lists(Room& room, const SamplerParams& params, SamplerSlot& slot);
  void put_counts(Room& room, const SamplerParams& params, const std::vector<int32_t>& prompt, SamplerSlot& slot);

  driver::ContextPtr context_;
  driver::Stream& stream_;
  int32_t vocab_;
  driver::DeviceMemory samplers_, last_sampled_, pooled_;
  std::vector<Room> rooms_;
};

}  // namespace kvasir::cuda
