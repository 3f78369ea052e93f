#include "native/driver/stream.h"

namespace kvasir::driver {
namespace {

Address address(const uint8_t* pointer) { return reinterpret_cast<Address>(pointer); }

}  // namespace

Graph::Graph(ContextPtr context, GraphHandle recorded) : context_(std::move(context)) {
  const Result made = context_->driver().cuGraphInstantiateWithFlags(&handle_, recorded, 0);
  context_->driver().cuGraphDestroy(recorded);
  context_->driver().check(made, "cuGraphInstantiateWithFlags");
}
Graph::~Graph() {
  if (handle_ && context_->try_enter()) context_->driver().cuGraphExecDestroy(handle_);
}

Stream::Stream(ContextPtr context) : context_(std::move(context)), driver_(context_->driver()) {
  context_->enter();
  KV_CUDA(driver_, cuStreamCreate, &handle_, kStreamNonBlocking);
}
Stream::~Stream() {
  if (context_->try_enter()) driver_.cuStreamDestroy(handle_);
}

void Stream::copy_in(uint8_t* to, const void* from, size_t bytes) {
  if (bytes > 0) KV_CUDA(driver_, cuMemcpyHtoDAsync, address(to), from, bytes, handle_);
}
void Stream::copy_out(void* to, const uint8_t* from, size_t bytes) {
  if (bytes > 0) KV_CUDA(driver_, cuMemcpyDtoHAsync, to, address(from), bytes, handle_);
}
void Stream::zero(uint8_t* to, size_t bytes) {
  if (bytes > 0) KV_CUDA(driver_, cuMemsetD8Async, address(to), 0, bytes, handle_);
}

void Stream::launch(FunctionHandle function, Size3 grid, Size3 block, unsigned shared_bytes, const void* argument) {
  const LaunchConfig config = {.grid_x = grid.x,
                               .grid_y = grid.y,
                               .grid_z = grid.z,
                               .block_x = block.x,
                               .block_y = block.y,
                               .block_z = block.z,
                               .shared_bytes = shared_bytes,
                               .stream = handle_,
                               .attributes = nullptr,
                               .attribute_count = 0};
  void* arguments[] = {const_cast<void*>(argument)};
  KV_CUDA(driver_, cuLaunchKernelEx, &config, function, arguments, nullptr);
}

void Stream::launch(const Graph& graph) { KV_CUDA(driver_, cuGraphLaunch, graph.handle(), handle_); }
void Stream::record(const Event& event) { KV_CUDA(driver_, cuEventRecord, event.handle(), handle_); }
void Stream::wait() { KV_CUDA(driver_, cuStreamSynchronize, handle_); }

void Stream::begin_capture() { KV_CUDA(driver_, cuStreamBeginCapture, handle_, kCaptureThreadLocal); }
void Stream::abandon_capture() {
  GraphHandle graph = nullptr;
  if (driver_.cuStreamEndCapture(handle_, &graph) == kSuccess && graph) driver_.cuGraphDestroy(graph);
}
Graph Stream::end_capture() {
  GraphHandle graph = nullptr;
  KV_CUDA(driver_, cuStreamEndCapture, handle_, &graph);
  return Graph(context_, graph);
}

}  // namespace kvasir::driver
