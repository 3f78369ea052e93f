// The functions of CUDA's driver interface that native/driver calls, over the emulator. As in the real driver: nothing works
// before cuInit, calls work on the context of their thread, work is done after the call returns and in the order of its
// stream, pageable memory is read during the call and pinned memory when the copy's turn has come, bad arguments are
// refused, an error of a kernel ends its card.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "native/base/check.h"
#include "native/driver/abi.h"
#include "native/simt/lookalike/settings.h"
#include "native/simt/lookalike/stream.h"

namespace kvasir::simt::lookalike {
namespace {

using namespace driver;

std::atomic<bool> initialised{false};
thread_local Device* current = nullptr;
thread_local Stream* capturing = nullptr;  // thread-local mode: what this thread may not call meanwhile

// Handles that are alive: any other is refused.
template <typename T>
class Handles {
 public:
  template <typename Handle>
  Handle add(std::unique_ptr<T> object) {
    std::lock_guard lock(mutex_);
    T* raw = object.release();
    alive_.insert(raw);
    return reinterpret_cast<Handle>(raw);
  }
  T* find(const void* handle) {
    std::lock_guard lock(mutex_);
    auto* object = static_cast<T*>(const_cast<void*>(handle));
    return alive_.contains(object) ? object : nullptr;
  }
  template <typename Body>
  void each(Body body) {
    std::lock_guard lock(mutex_);
    for (T* object : alive_) body(*object);
  }
  std::unique_ptr<T> take(const void* handle) {
    T* object = find(handle);
    std::lock_guard lock(mutex_);
    if (object) alive_.erase(object);
    return std::unique_ptr<T>(object);
  }

 private:
  std::mutex mutex_;
  std::set<T*> alive_;
};

struct Function {
  const KernelEntry* kernel;
  unsigned shared_allowed = 48 << 10;
};
struct Library {
  Device* device;
  std::string names;  // '*' or a name a line
  std::vector<std::unique_ptr<Function>> functions;
};

// Never destroyed: threads may still call while the process ends.
auto& streams = *new Handles<Stream>;
auto& events = *new Handles<Event>;
auto& graphs = *new Handles<Graph>;
auto& execs = *new Handles<GraphExec>;
auto& libraries = *new Handles<Library>;
auto& functions = *new Handles<Function>;

// To give memory back waits for all that is queued on the card.
void drain_all(const Device* device) {
  streams.each([&](Stream& stream) {
    if (stream.device == device) stream.drain();
  });
}

std::mutex pinned_mutex;
auto& pinned = *new std::set<std::pair<const unsigned char*, size_t>>;

bool is_pinned(const void* pointer, size_t bytes) {
  std::lock_guard lock(pinned_mutex);
  const auto* at = static_cast<const unsigned char*>(pointer);
  for (const auto& [begin, size] : pinned)
    if (at >= begin && at + bytes <= begin + size) return true;
  return false;
}

unsigned shared_limit() {
  switch (settings().compute_capability) {
    case 80:
      return 163 << 10;
    case 90:
      return 227 << 10;
    default:
      return 99 << 10;
  }
}

// The checks that most calls begin with.
#define NEED_INIT() \
  if (!initialised) return kNotInitialized
#define NEED_CONTEXT()                  \
  NEED_INIT();                          \
  if (!current) return kInvalidContext; \
  if (current->failure() != kSuccess) return current->failure()
#define FORBID_CAPTURE()              \
  if (capturing) {                    \
    capturing->invalidate();          \
    return kStreamCaptureUnsupported; \
  }
#define FIND(object, handles, handle)    \
  auto* object = (handles).find(handle); \
  if (!object) return kInvalidHandle

Result cuDriverGetVersion(int* version) {
  if (!version) return kInvalidValue;
  *version = settings().driver_version;
  return kSuccess;
}

Result cuInit(unsigned flags) {
  if (flags != 0) return kInvalidValue;
  if (settings().init_result != kSuccess) return settings().init_result;
  initialised = true;
  return kSuccess;
}

struct ErrorName {
  Result result;
  const char *name, *words;
};
constexpr ErrorName kErrors[] = {
    {kSuccess, "CUDA_SUCCESS", "no error"},
    {kInvalidValue, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {kOutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {kNotInitialized, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {kNoDevice, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {kInvalidDevice, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {kInvalidImage, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {kInvalidContext, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {kNoBinaryForGpu, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
    {kInvalidHandle, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {kNotFound, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {kNotReady, "CUDA_ERROR_NOT_READY", "device not ready"},
    {kIllegalAddress, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {kLaunchFailed, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {kSystemDriverMismatch, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
     "system has unsupported display driver / cuda driver combination"},
    {kStreamCaptureUnsupported, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
     "operation not permitted when stream is capturing"},
    {kStreamCaptureInvalidated, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED",
     "operation failed due to a previous error during capture"},
};

Result cuGetErrorName(Result result, const char** name) {
  for (const ErrorName& error : kErrors)
    if (error.result == result) return *name = error.name, kSuccess;
  return kInvalidValue;
}
Result cuGetErrorString(Result result, const char** words) {
  for (const ErrorName& error : kErrors)
    if (error.result == result) return *words = error.words, kSuccess;
  return kInvalidValue;
}

Result cuDeviceGetCount(int* count) {
  NEED_INIT();
  *count = settings().devices;
  return kSuccess;
}
Result cuDeviceGet(DeviceId* device, int ordinal) {
  NEED_INIT();
  if (!device_at(ordinal)) return kInvalidDevice;
  *device = ordinal;
  return kSuccess;
}
Result cuDeviceGetName(char* name, int length, DeviceId device) {
  NEED_INIT();
  if (!device_at(device)) return kInvalidDevice;
  std::snprintf(name, length, "Emulated card %d", device);
  return kSuccess;
}
Result cuDeviceGetAttribute(int* value, int attribute, DeviceId device) {
  NEED_INIT();
  if (!device_at(device)) return kInvalidDevice;
  switch (attribute) {
    case kComputeCapabilityMajor:
      return *value = settings().compute_capability / 10, kSuccess;
    case kComputeCapabilityMinor:
      return *value = settings().compute_capability % 10, kSuccess;
    case kMultiprocessorCount:
      return *value = 8, kSuccess;
    case kMaxSharedPerBlock:
      return *value = 48 << 10, kSuccess;
    case kMaxSharedPerBlockOptin:
      return *value = static_cast<int>(shared_limit()), kSuccess;
    default:
      return kInvalidValue;
  }
}
Result cuDeviceTotalMem(size_t* bytes, DeviceId device) {
  NEED_INIT();
  if (!device_at(device)) return kInvalidDevice;
  *bytes = settings().memory;
  return kSuccess;
}

Result cuDevicePrimaryCtxRetain(ContextHandle* context, DeviceId id) {
  NEED_INIT();
  Device* device = device_at(id);
  if (!device) return kInvalidDevice;
  device->retain();
  *context = reinterpret_cast<ContextHandle>(device);
  return kSuccess;
}
Result cuDevicePrimaryCtxRelease(DeviceId id) {
  NEED_INIT();
  Device* device = device_at(id);
  if (!device || !device->in_use()) return kInvalidContext;
  device->release_user();
  return kSuccess;
}
Result cuCtxSetCurrent(ContextHandle context) {
  NEED_INIT();
  auto* device = reinterpret_cast<Device*>(context);
  if (device && !device->in_use()) return kInvalidContext;
  current = device;
  return kSuccess;
}

Result cuMemGetInfo(size_t* free, size_t* total) {
  NEED_CONTEXT();
  *free = current->free_bytes();
  *total = settings().memory;
  return kSuccess;
}
Result cuMemAlloc(Address* address, size_t bytes) {
  NEED_CONTEXT();
  FORBID_CAPTURE();
  return current->allocate(bytes, address);
}
Result cuMemFree(Address address) {
  NEED_INIT();
  if (!current) return kInvalidContext;
  FORBID_CAPTURE();
  drain_all(current);
  return address == 0 ? kSuccess : current->release(address);
}

Result cuMemHostAlloc(void** memory, size_t bytes, unsigned) {
  NEED_CONTEXT();
  FORBID_CAPTURE();
  if (bytes == 0) return kInvalidValue;
  auto* block = static_cast<unsigned char*>(std::malloc(bytes));
  if (!block) return kOutOfMemory;
  std::lock_guard lock(pinned_mutex);
  pinned.emplace(block, bytes);
  ++current->live_objects;
  *memory = block;
  return kSuccess;
}
Result cuMemFreeHost(void* memory) {
  NEED_INIT();
  if (!current) return kInvalidContext;
  drain_all(current);
  std::lock_guard lock(pinned_mutex);
  for (auto at = pinned.begin(); at != pinned.end(); ++at)
    if (at->first == memory) {
      std::free(memory);
      pinned.erase(at);
      --current->live_objects;
      return kSuccess;
    }
  return kInvalidValue;
}

Result cuMemcpyHtoDAsync(Address to, const void* from, size_t bytes, StreamHandle handle) {
  NEED_CONTEXT();
  FIND(stream, streams, handle);
  if (!from || !stream->device->owns(to, bytes)) return kInvalidValue;
  ++stream->device->counters.copies;
  auto* target = reinterpret_cast<void*>(to);
  if (is_pinned(from, bytes)) {
    stream->push({[=](Stream&) { std::memcpy(target, from, bytes); }});
    return kSuccess;
  }
  if (stream->capturing()) {
    stream->invalidate();
    return kStreamCaptureUnsupported;
  }
  const auto* begin = static_cast<const unsigned char*>(from);
  stream->push({[target, bytes, copy = std::vector<unsigned char>(begin, begin + bytes)](Stream&) {
    std::memcpy(target, copy.data(), bytes);
  }});
  return kSuccess;
}
Result cuMemcpyDtoHAsync(void* to, Address from, size_t bytes, StreamHandle handle) {
  NEED_CONTEXT();
  FIND(stream, streams, handle);
  if (!to || !stream->device->owns(from, bytes)) return kInvalidValue;
  ++stream->device->counters.copies;
  stream->push({[=](Stream&) { std::memcpy(to, reinterpret_cast<const void*>(from), bytes); }});
  if (!is_pinned(to, bytes)) stream->drain();
  return kSuccess;
}
Result cuMemsetD8Async(Address to, unsigned char value, size_t bytes, StreamHandle handle) {
  NEED_CONTEXT();
  FIND(stream, streams, handle);
  if (!stream->device->owns(to, bytes)) return kInvalidValue;
  stream->push({[=](Stream&) { fill(reinterpret_cast<unsigned char*>(to), value, bytes); }});
  return kSuccess;
}

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

Result cuLibraryLoadData(LibraryHandle* handle, const void* image, int*, void**, unsigned, int*, void**, unsigned) {
  NEED_CONTEXT();
  FORBID_CAPTURE();
  if (!image || std::strncmp(static_cast<const char*>(image), kImageMagic.data(), kImageMagic.size()) != 0)
    return kInvalidImage;
  auto library = std::make_unique<Library>();
  library->device = current;
  library->names = static_cast<const char*>(image) + kImageMagic.size();
  ++current->live_objects;
  *handle = libraries.add<LibraryHandle>(std::move(library));
  return kSuccess;
}
Result cuLibraryUnload(LibraryHandle handle) {
  NEED_INIT();
  auto library = libraries.take(handle);
  if (!library) return kInvalidHandle;
  for (auto& function : library->functions) functions.take(function.get()).release();
  --library->device->live_objects;
  return kSuccess;
}
Result cuLibraryGetKernel(KernelHandle* handle, LibraryHandle from, const char* name) {
  NEED_CONTEXT();
  FIND(library, libraries, from);
  const KernelEntry* kernel = find_kernel(name);
  const bool listed =
      library->names == "*\n" || ("\n" + library->names).find(text("\n", name, "\n")) != std::string::npos;
  if (!kernel || !listed) return kNotFound;
  auto function = std::make_unique<Function>(Function{kernel});
  *handle = functions.add<KernelHandle>(std::unique_ptr<Function>(function.get()));
  library->functions.push_back(std::move(function));
  return kSuccess;
}
Result cuKernelGetFunction(FunctionHandle* handle, KernelHandle kernel) {
  NEED_CONTEXT();
  FORBID_CAPTURE();  // it may load the module
  FIND(function, functions, kernel);
  *handle = reinterpret_cast<FunctionHandle>(function);
  return kSuccess;
}
Result cuFuncSetAttribute(FunctionHandle handle, int attribute, int value) {
  NEED_CONTEXT();
  FIND(function, functions, handle);
  if (attribute != kFunctionMaxDynamicShared || value < 0 || static_cast<unsigned>(value) > shared_limit())
    return kInvalidValue;
  function->shared_allowed = static_cast<unsigned>(value);
  return kSuccess;
}

Result cuLaunchKernelEx(const LaunchConfig* config, FunctionHandle handle, void** parameters, void** extra) {
  NEED_CONTEXT();
  FIND(function, functions, handle);
  FIND(stream, streams, config->stream);
  const unsigned long long threads = 1ull * config->block_x * config->block_y * config->block_z;
  const bool grid = config->grid_x && config->grid_y && config->grid_z && config->grid_x <= 0x7FFFFFFF &&
                    config->grid_y <= 65535 && config->grid_z <= 65535;
  if (!grid || threads == 0 || threads > 1024 || config->shared_bytes > function->shared_allowed || !parameters ||
      extra)
    return kInvalidValue;
  const Launch launch = {.grid = {config->grid_x, config->grid_y, config->grid_z},
                         .block = {config->block_x, config->block_y, config->block_z},
                         .shared_bytes = config->shared_bytes};
  const auto* argument = static_cast<const unsigned char*>(parameters[0]);
  const KernelEntry* kernel = function->kernel;
  stream->push({[kernel, launch, copy = std::vector<unsigned char>(argument, argument + kernel->argument_bytes)](
                    Stream& stream) { stream.run_kernel(*kernel, launch, copy); },
                true});
  return kSuccess;
}

struct Symbol {
  const char* name;
  int since;
  void* function;
};
const Symbol kSymbols[] = {
#define KVASIR_SYMBOL(name, since, parameters) {#name, since, reinterpret_cast<void*>(name)},
    KVASIR_DRIVER_FUNCTIONS(KVASIR_SYMBOL)
#undef KVASIR_SYMBOL
};

}  // namespace
}  // namespace kvasir::simt::lookalike

#define EXPORTED extern "C" __attribute__((visibility("default")))

EXPORTED int cuDriverGetVersion(int* version) { return kvasir::simt::lookalike::cuDriverGetVersion(version); }

EXPORTED int cuGetProcAddress_v2(const char* name, void** function, int version, uint64_t, int* status) {
  using namespace kvasir::simt::lookalike;
  if (!name || !function) return kvasir::driver::kInvalidValue;
  *function = nullptr;
  for (const Symbol& symbol : kSymbols)
    if (std::strcmp(symbol.name, name) == 0 && version >= symbol.since && settings().driver_version >= symbol.since)
      *function = symbol.function;
  if (status) *status = *function ? 0 : 1;
  return *function ? kvasir::driver::kSuccess : kvasir::driver::kNotFound;
}
