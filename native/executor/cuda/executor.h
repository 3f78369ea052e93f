// A card as a device. One thread queues steps, as many as two ahead; another waits for them to be over and hands out what
// they left.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "native/executor/cuda/model.h"

namespace kvasir::cuda {

class CudaExecutor final : public Device {
 public:
  // Uploads the weights before it returns.
  CudaExecutor(const ExecutorOptions& options, const CardOptions& card, const Weights& weights,
               std::vector<std::shared_ptr<const Program>> programs);
  ~CudaExecutor() override { stop(); }

  void open(int slot, SamplerParams params, std::vector<int32_t> prompt) override;
  void submit(std::vector<int32_t> words, Done done) override;
  void swap(std::vector<int32_t> copies, Swapped done) override;
  int add_program(std::shared_ptr<const Program> program) override;
  void stop() override;
  ExecutorStats stats() const override;
  int threads() const override { return 2; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Job {
    std::vector<int32_t> words;  // a step when there is `done`, copies of a swap when there is `swapped`, or:
    int slot = 0;                // a slot to open
    SamplerParams params;
    std::vector<int32_t> prompt;
    Done done;
    Swapped swapped;
  };
  struct Running {
    std::unique_ptr<Flight> flight;  // a step, or:
    Done done;
    Clock::time_point begin;
    std::unique_ptr<driver::Event> copied = {};  // copies of a swap
    Swapped swapped = {};
  };

  void push(Job job);
  void queue_jobs();
  void open_slot(const Job& job);
  void queue_step(Job job, std::unique_ptr<Flight> flight);
  void queue_swap(Job job);
  void deliver();

  const ExecutorOptions options_;
  CardModel model_;
  std::optional<Error> failure_;  // of opening a slot: the next step cannot be right

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  std::vector<std::unique_ptr<Flight>> free_;
  std::deque<Running> running_;
  bool stopping_ = false, queued_all_ = false;
  ExecutorStats stats_;
  std::thread queueing_, delivering_;
};

}  // namespace kvasir::cuda
