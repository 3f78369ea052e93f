// Chooses the kernels among those that native/cpu/features.h allows.
#include <cstdlib>
#include <cstring>

#include "native/cpu/features.h"
#include "native/cpu/table.h"

namespace kvasir::cpu {

#define KVASIR_SET(isa)           \
  namespace isa {                 \
  extern const KernelTable table; \
  }
KVASIR_SET(baseline)
#if defined(__x86_64__)
#define KVASIR_SETS "baseline, avx2, avxvnni, avx512"
KVASIR_SET(avx2)
KVASIR_SET(avxvnni)
KVASIR_SET(avx512)
#elif defined(__aarch64__)
#define KVASIR_SETS "baseline, neon, dotprod, i8mm"
KVASIR_SET(neon)
KVASIR_SET(dotprod)
KVASIR_SET(i8mm)
#else
#define KVASIR_SETS "baseline"
#endif

namespace {

struct Choice {
  const KernelTable* table;
  bool runs;
};

// The best first.
std::vector<Choice> choices() {
  [[maybe_unused]] const Features has = features();
  return {
#if defined(__x86_64__)
    {&avx512::table, has.avx512}, {&avxvnni::table, has.avxvnni}, {&avx2::table, has.avx2},
#elif defined(__aarch64__)
    {&i8mm::table, has.i8mm}, {&dotprod::table, has.dotprod}, {&neon::table, has.neon},
#endif
        {&baseline::table, true},
  };
}

}  // namespace

std::vector<const KernelTable*> runnable_kernels() {
  std::vector<const KernelTable*> tables;
  for (const Choice& choice : choices())
    if (choice.runs) tables.push_back(choice.table);
  return tables;
}

const KernelTable* select_kernels(const char** error) {
  const char* wanted = std::getenv("KVASIR_ISA");
  const bool any = !wanted || !*wanted;
  for (const Choice& choice : choices()) {
    if (!any && std::strcmp(wanted, choice.table->isa) != 0) continue;
    if (choice.runs) return choice.table;
    if (any) continue;
    *error = "this processor or operating system does not support the instruction set that KVASIR_ISA names";
    return nullptr;
  }
  *error = "KVASIR_ISA names no instruction set of this build (" KVASIR_SETS ")";
  return nullptr;
}

}  // namespace kvasir::cpu
