// Chooses the kernels: what the processor has (CPUID) and what the operating system saves (XGETBV).
#include <cstdlib>
#include <cstring>

#include "native/cpu/table.h"

namespace kvasir::cpu {

namespace baseline {
extern const KernelTable table;
}
#if defined(__x86_64__)
namespace avx2 {
extern const KernelTable table;
}
namespace avx512 {
extern const KernelTable table;
}
#endif

namespace {

struct Choice {
  const KernelTable* table;
  bool runs;
};

}  // namespace

const KernelTable* select_kernels(const char** error) {
#if defined(__x86_64__)
  // GCC's and Clang's builtin looks at XCR0 too, so a set whose registers the system does not save reads as absent.
  __builtin_cpu_init();
  const bool has_avx2 =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                          __builtin_cpu_supports("avx512vnni");
  const Choice choices[] = {{&avx512::table, has_avx512}, {&avx2::table, has_avx2}, {&baseline::table, true}};
#else
  const Choice choices[] = {{&baseline::table, true}};
#endif

  const char* wanted = std::getenv("KVASIR_ISA");
  for (const Choice& choice : choices) {
    if (wanted && *wanted && std::strcmp(wanted, choice.table->isa) != 0) continue;
    if (choice.runs) return choice.table;
    if (wanted && *wanted) {
      *error = "this processor or operating system does not support the instruction set that KVASIR_ISA names";
      return nullptr;
    }
  }
  *error = "KVASIR_ISA names no instruction set of this build (baseline, avx2, avx512)";
  return nullptr;
}

}  // namespace kvasir::cpu
