// A card as a device. One thread queues steps, as many as two ahead; another waits for them to be over and hands out what
// they left.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <thread>

#include "native/executor/cuda/model.h"
#include "native/executor/queued_device.h"

namespace kvasir::cuda {

class CudaExecutor final : public QueuedDevice {
 public:
  // Uploads the weights before it returns.
  CudaExecutor(const ExecutorOptions& options, const CardOptions& card, const Weights& weights,
               std::vector<std::shared_ptr<const Program>> programs);
  ~CudaExecutor() override { stop(); }

  void release(std::vector<int32_t>) override {}  // a card keeps all that it took
  int add_program(std::shared_ptr<const Program> program) override;
  void stop() override;
  int threads() const override { return 2; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Running {
    std::unique_ptr<Flight> flight;  // a step, or:
    Done done;
    Clock::time_point begin;
    std::unique_ptr<driver::Event> copied = {};  // copies of a swap
    Swapped swapped = {};
  };

  void queue_jobs();
  void queue(Opening& opening);
  void queue(Step& step);
  void queue(Copies& copies);
  void queue(Release&) {}
  std::unique_ptr<Flight> free_flight();
  void deliver();

  CardModel model_;
  std::optional<Error> failure_;  // of opening a slot: the next step cannot be right

  // Guarded by mutex_.
  std::vector<std::unique_ptr<Flight>> free_;
  std::deque<Running> running_;
  bool queued_all_ = false;
  std::thread queueing_, delivering_;
};

}  // namespace kvasir::cuda
