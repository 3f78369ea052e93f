// Functions are asked for by cuGetProcAddress with the version whose signature abi.h declares: the names in the library
// itself carry suffixes that differ between versions.
#include "native/driver/driver.h"

#include <cstdlib>
#include <mutex>

#include "native/base/library.h"

namespace kvasir::driver {
namespace {

std::string version_text(int version) { return text(version / 1000, ".", version % 1000 / 10); }

template <typename Function>
Function symbol(void* library, const char* name) {
  return reinterpret_cast<Function>(symbol_of(library, name));
}

}  // namespace

std::shared_ptr<const Driver> Driver::open() {
  static std::mutex mutex;
  static auto& opened = *new std::shared_ptr<const Driver>;  // for ever: a driver is not made to be closed
  std::lock_guard lock(mutex);
  if (opened) return opened;
  const char* named = std::getenv("KVASIR_LIBCUDA");
#if defined(_WIN32)
  constexpr const char* kLibrary = "nvcuda.dll";
#else
  constexpr const char* kLibrary = "libcuda.so.1";
#endif
  opened.reset(new Driver(named && *named ? named : kLibrary));
  return opened;
}

Driver::Driver(const std::string& path) {
  std::string reason;
  library_ = open_library(path, &reason);
  KV_CHECK(library_, "KV_NOT_FOUND", "no NVIDIA driver on this machine: ", reason,
           "; install one, or load with device: 'cpu'");
  try {
    find_functions(path);
    find_cards();
  } catch (...) {
    close_library(library_);
    throw;
  }
}

void Driver::find_functions(const std::string& path) {
  const auto second = symbol<GetProcAddressV2>(library_, "cuGetProcAddress_v2");
  const auto first = symbol<GetProcAddress>(library_, "cuGetProcAddress");
  const auto version = symbol<Result (*)(int*)>(library_, "cuDriverGetVersion");
  KV_CHECK(version, "KV_UNSUPPORTED", path, " is not NVIDIA's driver library: it has no cuDriverGetVersion");
  KV_CHECK(version(&version_) == kSuccess && version_ >= kOldestDriver && (first || second), "KV_UNSUPPORTED",
           "the NVIDIA driver is too old: it serves CUDA ", version_text(version_), ", Kvasir needs ",
           version_text(kOldestDriver), " or newer; update the driver, or load with device: 'cpu'");
  const auto find = [&](const char* name, int since, auto& member) {
    void* function = nullptr;
    int status = 0;
    const Result result = second ? second(name, &function, since, 0, &status) : first(name, &function, since, 0);
    KV_CHECK(result == kSuccess && function, "KV_UNSUPPORTED", "the NVIDIA driver for CUDA ", version_text(version_),
             " has no ", name, "; update it, or load with device: 'cpu'");
    member = reinterpret_cast<std::remove_reference_t<decltype(member)>>(function);
  };
#define KVASIR_FIND(name, since, parameters) find(#name, since, name);
  KVASIR_DRIVER_FUNCTIONS(KVASIR_FIND)
#undef KVASIR_FIND
}

void Driver::find_cards() {
  const Result started = cuInit(0);
  KV_CHECK(started != kNoDevice, "KV_NOT_FOUND",
           "the NVIDIA driver finds no card; check nvidia-smi and CUDA_VISIBLE_DEVICES, or load with device: 'cpu'");
  KV_CHECK(started == kSuccess, "KV_UNSUPPORTED", "the NVIDIA driver does not start: cuInit: ", name_of(started),
           "; check nvidia-smi, or load with device: 'cpu'");
  int count = 0;
  KV_CUDA(*this, cuDeviceGetCount, &count);
  for (int i = 0; i < count; ++i) {
    DeviceId id = 0;
    KV_CUDA(*this, cuDeviceGet, &id, i);
    const auto attribute = [&](int which) {
      int value = 0;
      KV_CUDA(*this, cuDeviceGetAttribute, &value, which, id);
      return value;
    };
    CardFacts card;
    char name[256] = {};
    KV_CUDA(*this, cuDeviceGetName, name, sizeof name - 1, id);
    card.name = name;
    card.compute_capability = 10 * attribute(kComputeCapabilityMajor) + attribute(kComputeCapabilityMinor);
    card.multiprocessors = attribute(kMultiprocessorCount);
    card.shared_bytes = attribute(kMaxSharedPerBlockOptin);
    size_t bytes = 0;
    KV_CUDA(*this, cuDeviceTotalMem, &bytes, id);
    card.memory = bytes;
    cards_.push_back(std::move(card));
  }
}

std::string Driver::name_of(Result result) const {
  const char *name = nullptr, *words = nullptr;
  if (cuGetErrorName(result, &name) != kSuccess || !name) name = "an unknown error";
  if (cuGetErrorString(result, &words) != kSuccess || !words) words = "";
  return text(name, " (", result, *words ? ", " : "", words, ")");
}

void Driver::check(Result result, const char* function) const {
  if (result == kSuccess) return;
  const char* advice =
      result == kOutOfMemory ? ": choose a smaller context, fewer sequences or pages, or a smaller model" : "";
  throw Error(result == kOutOfMemory ? "KV_UNSUPPORTED" : "KV_NATIVE", text(function, ": ", name_of(result), advice));
}

}  // namespace kvasir::driver
