// Work for a card, done in the order in which it was queued; and work recorded once to be queued again as a whole.
#pragma once

#include "native/driver/context.h"

namespace kvasir::driver {

struct Size3 {
  unsigned x = 1, y = 1, z = 1;
};

// Recorded work with all its arguments.
class Graph {
 public:
  Graph(ContextPtr context, GraphHandle recorded);
  Graph(Graph&& other) noexcept : context_(std::move(other.context_)), handle_(std::exchange(other.handle_, nullptr)) {}
  ~Graph();
  GraphExecHandle handle() const { return handle_; }

 private:
  ContextPtr context_;
  GraphExecHandle handle_ = nullptr;
};

class Stream {
 public:
  explicit Stream(ContextPtr context);
  ~Stream();
  Stream(const Stream&) = delete;

  // `from` may be reused at once unless it is pinned; pinned memory is read when the copy's turn has come.
  void copy_in(uint8_t* to, const void* from, size_t bytes);
  void copy_out(void* to, const uint8_t* from, size_t bytes);
  void zero(uint8_t* to, size_t bytes);
  void launch(FunctionHandle function, Size3 grid, Size3 block, unsigned shared_bytes, const void* argument);
  void launch(const Graph& graph);
  void record(const Event& event);
  void wait();

  // Records what body() queues instead of doing it. Nothing that allocates or waits may be called meanwhile.
  template <typename Body>
  Graph capture(Body body) {
    begin_capture();
    try {
      body();
    } catch (...) {
      abandon_capture();
      throw;
    }
    return end_capture();
  }

 private:
  void begin_capture();
  void abandon_capture();
  Graph end_capture();

  ContextPtr context_;
  const Driver& driver_;
  StreamHandle handle_ = nullptr;
};

}  // namespace kvasir::driver
