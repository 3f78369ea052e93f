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
  int add_program(std::shared_ptr<const Program> program) override;
  void stop() override;
  ExecutorStats stats() const override;
  int threads() const override { return 2; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Job {
    std::vector<int32_t> words;  // a step, or, when `done` is empty:
    int slot = 0;                // a slot to open
    SamplerParams params;
    std::vector<int32_t> prompt;
    Done done;
  };
  struct Running {
    std::unique_ptr<Flight> flight;
    Done done;
    Clock::time_point begin;
  };

  void push(Job job);
  void queue_jobs();
  void open_slot(const Job& job);
  void queue_step(Job job, std::unique_ptr<Flight> flight);
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
