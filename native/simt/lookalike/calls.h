// What the functions of the look-alike share: the calling thread's card, the handles that are alive, and the checks that a call
// begins with.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "native/driver/abi.h"
#include "native/simt/lookalike/settings.h"
#include "native/simt/lookalike/stream.h"

namespace kvasir::simt::lookalike {

using namespace driver;

// Every function of the interface.
#define KVASIR_DECLARE(name, since, parameters) Result name parameters;
KVASIR_DRIVER_FUNCTIONS(KVASIR_DECLARE)
#undef KVASIR_DECLARE

inline std::atomic<bool> initialised{false};
inline thread_local Device* current = nullptr;
inline thread_local Stream* capturing = nullptr;  // thread-local mode: what this thread may not call meanwhile

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
inline auto& streams = *new Handles<Stream>;
inline auto& events = *new Handles<Event>;
inline auto& graphs = *new Handles<Graph>;
inline auto& execs = *new Handles<GraphExec>;
inline auto& libraries = *new Handles<Library>;
inline auto& functions = *new Handles<Function>;

// That a block may ask for.
unsigned shared_limit(int device);

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

}  // namespace kvasir::simt::lookalike
