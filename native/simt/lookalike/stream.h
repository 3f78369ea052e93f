// Streams: a thread each that does what was queued, in order, some time after the call that queued it; and recorded work.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "native/simt/lookalike/device.h"
#include "native/simt/lookalike/kernel_table.h"
#include "native/simt/machine.h"

namespace kvasir::simt::lookalike {

class Stream;

// A kernel's argument, which may want to lie as tensor maps do.
struct alignas(64) ArgumentPart {
  unsigned char bytes[64];
};
using Argument = std::vector<ArgumentPart>;

// One piece of queued work; the arguments are in it.
struct Operation {
  std::function<void(Stream&)> run;
  bool is_kernel = false;
};

struct Graph {
  std::vector<Operation> operations;
};
struct GraphExec {
  Device* device = nullptr;
  std::vector<Operation> operations;
};

// Done when the stream has come to what was last recorded.
class Event {
 public:
  explicit Event(Device* device) : device(device) {}
  uint64_t record();            // begins a new wait; returns its number
  void reach(uint64_t number);  // on the stream
  void wait();
  bool passed();
  double when();  // of the last reach, in milliseconds
  Device* const device;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t recorded_ = 0, reached_ = 0;
  double milliseconds_ = 0;
};

class Stream {
 public:
  explicit Stream(Device* device);
  ~Stream();

  // Queues, or records while capturing.
  void push(Operation operation);
  void drain();

  // Capturing (thread-local mode).
  bool capturing() const { return capture_ != nullptr; }
  void begin_capture() { capture_ = std::make_unique<Graph>(); }
  std::unique_ptr<Graph> end_capture() { return std::move(capture_); }
  // A call that may not be made while capturing: the recording is lost.
  void invalidate() { invalid_ = true; }
  bool take_invalid() { return std::exchange(invalid_, false); }

  // On the stream's thread.
  void run_kernel(const KernelEntry& kernel, const Launch& launch, const Argument& argument);
  Device* const device;

 private:
  void serve();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Operation> queue_;
  bool busy_ = false, stopping_ = false, invalid_ = false;
  std::unique_ptr<Graph> capture_;
  Machine machine_{false};
  std::thread thread_;
};

}  // namespace kvasir::simt::lookalike
