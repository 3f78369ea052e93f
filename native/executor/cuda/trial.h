// Runs an op on a card for its result alone, before there is a model.
#pragma once

#include <chrono>
#include <thread>
#include <vector>

#include "native/cuda/contract.h"
#include "native/driver/kernels.h"
#include "native/driver/stream.h"

namespace kvasir::cuda {

struct Trial {
  const driver::ContextPtr& context;
  driver::Kernels& kernels;
  driver::Stream& stream;

  // `values` stays until the stream has been waited for.
  template <typename T>
  driver::DeviceMemory put(const std::vector<T>& values) {
    driver::DeviceMemory memory(context, values.size() * sizeof(T));
    stream.copy_in(memory.data(), values.data(), values.size() * sizeof(T));
    stream.wait();
    return memory;
  }
  template <typename Arg>
  void launch(const Arg& arg, const DeviceFacts& facts) {
    const Launches launches = plan(arg, facts);
    for (int i = 0; i < launches.count; ++i) {
      const Launch& l = launches.launch[i];
      stream.launch(kernels.find(l.kernel, l.shared_bytes), {l.grid.x, l.grid.y, l.grid.z},
                    {l.block.x, l.block.y, l.block.z}, l.shared_bytes, &arg);
    }
  }
  // Kernels that rest on documents alone may wait for ever: then the card is given up, and the caller hears of it.
  void wait() {
    constexpr std::chrono::seconds kLongest(20);
    const driver::Event over(context);
    stream.record(over);
    for (const auto begin = std::chrono::steady_clock::now(); !over.passed();) {
      std::this_thread::sleep_for(std::chrono::microseconds(100));
      if (std::chrono::steady_clock::now() - begin < kLongest) continue;
      context->give_up();
      throw Error("KV_NATIVE", text("a kernel for compute capability 9.0 alone does not end on ", context->card().name,
                                    ": load in a new process with KVASIR_CUDA_WGMMA=0, and report it"));
    }
  }
  template <typename T>
  void get(const driver::DeviceMemory& memory, std::vector<T>& values) {
    wait();
    stream.copy_out(values.data(), memory.data(), values.size() * sizeof(T));
    stream.wait();
  }
  auto encoder() const {
    return [this](const Boxes& boxes) { return context->encode(boxes); };
  }
};

}  // namespace kvasir::cuda
