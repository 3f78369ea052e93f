// Streams, recordings and events.
#include "native/simt/lookalike/calls.h"

namespace kvasir::simt::lookalike {
Result cuStreamCreate(StreamHandle* handle, unsigned) {
  NEED_CONTEXT();
  FORBID_CAPTURE();
  ++current->live_objects;
  *handle = streams.add<StreamHandle>(std::make_unique<Stream>(current));
  return kSuccess;
}
Result cuStreamDestroy(StreamHandle handle) {
  NEED_INIT();
  auto stream = streams.take(handle);
  if (!stream) return kInvalidHandle;
  --stream->device->live_objects;
  return kSuccess;
}
Result cuStreamSynchronize(StreamHandle handle) {
  NEED_CONTEXT();
  FORBID_CAPTURE();
  FIND(stream, streams, handle);
  stream->drain();
  return stream->device->failure();
}
Result cuStreamBeginCapture(StreamHandle handle, int mode) {
  NEED_CONTEXT();
  FIND(stream, streams, handle);
  if (stream->capturing() || mode != kCaptureThreadLocal) return kInvalidValue;
  stream->begin_capture();
  capturing = stream;
  return kSuccess;
}
Result cuStreamEndCapture(StreamHandle handle, GraphHandle* graph) {
  NEED_CONTEXT();
  FIND(stream, streams, handle);
  if (!stream->capturing() || capturing != stream) return kInvalidValue;
  capturing = nullptr;
  auto recorded = stream->end_capture();
  *graph = nullptr;
  if (stream->take_invalid()) return kStreamCaptureInvalidated;
  ++stream->device->live_objects;
  *graph = graphs.add<GraphHandle>(std::move(recorded));
  return kSuccess;
}
Result cuGraphInstantiateWithFlags(GraphExecHandle* handle, GraphHandle from, unsigned long long) {
  NEED_CONTEXT();
  FIND(graph, graphs, from);
  ++current->live_objects;
  *handle = execs.add<GraphExecHandle>(std::make_unique<GraphExec>(GraphExec{current, graph->operations}));
  return kSuccess;
}
Result cuGraphDestroy(GraphHandle handle) {
  NEED_INIT();
  if (!graphs.take(handle)) return kInvalidHandle;
  if (current) --current->live_objects;
  return kSuccess;
}
Result cuGraphExecDestroy(GraphExecHandle handle) {
  NEED_INIT();
  auto exec = execs.take(handle);
  if (!exec) return kInvalidHandle;
  --exec->device->live_objects;
  return kSuccess;
}
Result cuGraphLaunch(GraphExecHandle handle, StreamHandle on) {
  NEED_CONTEXT();
  FIND(exec, execs, handle);
  FIND(stream, streams, on);
  if (stream->device != exec->device) return kInvalidValue;
  stream->push({[operations = exec->operations](Stream& stream) {
    ++stream.device->counters.graph_launches;
    for (const Operation& operation : operations) {
      operation.run(stream);
      stream.device->counters.graph_kernels += operation.is_kernel;
    }
  }});
  return kSuccess;
}

Result cuEventCreate(EventHandle* handle, unsigned) {
  NEED_CONTEXT();
  FORBID_CAPTURE();
  ++current->live_objects;
  *handle = events.add<EventHandle>(std::make_unique<Event>(current));
  return kSuccess;
}
Result cuEventDestroy(EventHandle handle) {
  NEED_INIT();
  auto event = events.take(handle);
  if (!event) return kInvalidHandle;
  event->wait();  // the stream still has to reach it
  --event->device->live_objects;
  return kSuccess;
}
Result cuEventRecord(EventHandle handle, StreamHandle on) {
  NEED_CONTEXT();
  FIND(event, events, handle);
  FIND(stream, streams, on);
  if (event->device != stream->device) return kInvalidHandle;
  const uint64_t number = event->record();
  stream->push({[event, number](Stream&) { event->reach(number); }});
  return kSuccess;
}
Result cuEventQuery(EventHandle handle) {
  NEED_INIT();
  FIND(event, events, handle);
  return event->passed() ? event->device->failure() : kNotReady;
}
Result cuEventSynchronize(EventHandle handle) {
  NEED_INIT();
  FIND(event, events, handle);
  event->wait();
  return event->device->failure();
}
Result cuEventElapsedTime(float* milliseconds, EventHandle begin, EventHandle end) {
  NEED_INIT();
  FIND(first, events, begin);
  FIND(second, events, end);
  *milliseconds = static_cast<float>(second->when() - first->when());
  return kSuccess;
}

}  // namespace kvasir::simt::lookalike
