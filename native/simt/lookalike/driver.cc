// The functions of CUDA's driver interface that native/driver calls, over the emulator. As in the real driver: nothing works
// before cuInit, calls work on the context of their thread, work is done after the call returns and in the order of its
// stream, pageable memory is read during the call and pinned memory when the copy's turn has come, bad arguments are
// refused, an error of a kernel ends its card.
#include <cstring>

#include "native/simt/lookalike/calls.h"

namespace kvasir::simt::lookalike {
namespace {

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
