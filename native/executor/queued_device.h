// What every device has in common: jobs wait in order of arrival for a thread of the device, and fail when it is stopped.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <variant>
#include <vector>

#include "native/executor/device.h"

namespace kvasir {

class QueuedDevice : public Device {
 public:
  void open(int slot, SamplerParams params, std::vector<int32_t> prompt) final;
  void submit(std::vector<int32_t> words, Done done) final;
  void release(std::vector<int32_t> pages) override;
  void swap(std::vector<int32_t> copies, Swapped done) final;
  ExecutorStats stats() const override;

 protected:
  struct Sizes {
    int slots, pages, swap_pages;
  };
  struct Opening {
    int slot;
    SamplerParams params;
    std::vector<int32_t> prompt;
  };
  struct Step {
    std::vector<int32_t> words;
    Done done;
  };
  struct Copies {  // of a swap
    std::vector<int32_t> words;
    Swapped done;
  };
  struct Release {
    std::vector<int32_t> pages;
  };
  using Job = std::variant<Opening, Step, Copies, Release>;

  explicit QueuedDevice(Sizes sizes) : sizes_(sizes) {}

  // The oldest job. `mutex_` is held, and there is one.
  Job take();
  // From now on nothing is accepted or taken. Returns what waited.
  std::deque<Job> close();
  // With KV_DISPOSED, on this thread.
  static void fail(std::deque<Job>& dropped);

  mutable std::mutex mutex_;  // guards the rest
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  bool stopping_ = false;
  ExecutorStats stats_;

 private:
  void push(Job job);

  const Sizes sizes_;
};

}  // namespace kvasir
