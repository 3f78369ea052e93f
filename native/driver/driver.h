// NVIDIA's driver, opened when it is first asked for and never linked, so that one addon serves machines with and without it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "native/base/check.h"
#include "native/driver/abi.h"

namespace kvasir::driver {

// What a card is, found without making a context on it.
struct CardFacts {
  std::string name;
  int32_t compute_capability = 0;  // 10 · major + minor
  int32_t multiprocessors = 0;
  int32_t shared_bytes = 0;  // that a block may ask for
  uint64_t memory = 0;
};

// The oldest that our kernels run on: bf16 in tensor cores, cp.async.
constexpr int32_t kOldestCard = 80;
// The oldest interface with all that we call (cuLibraryLoadData).
constexpr int kOldestDriver = 12000;

class Driver {
 public:
  // The one of this process: libcuda.so.1, or what KVASIR_LIBCUDA names. Throws KV_NOT_FOUND without a driver or a card,
  // KV_UNSUPPORTED when they are of no use, each with a sentence. A failure is not remembered.
  static std::shared_ptr<const Driver> open();

  int version() const { return version_; }  // 1000 · major + 10 · minor
  const std::vector<CardFacts>& cards() const { return cards_; }

  // Throws KV_NATIVE, or KV_UNSUPPORTED for want of memory, naming the function, the code and its name.
  void check(Result result, const char* function) const;

#define KVASIR_MEMBER(name, version, parameters) Result(*name) parameters = nullptr;
  KVASIR_DRIVER_FUNCTIONS(KVASIR_MEMBER)
#undef KVASIR_MEMBER

 private:
  explicit Driver(const std::string& path);
  void find_functions(const std::string& path);
  void find_cards();
  std::string name_of(Result result) const;

  void* library_ = nullptr;
  int version_ = 0;
  std::vector<CardFacts> cards_;
};

// Calls a function of the driver and throws when it fails.
#define KV_CUDA(driver, function, ...) (driver).check((driver).function(__VA_ARGS__), #function)

}  // namespace kvasir::driver
