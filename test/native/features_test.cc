// What native/cpu/features.h concludes from CPUID and XCR0, for processors and systems that no emulator here offers.

#include "native/cpu/features.h"

#include <cstdio>

namespace kvasir::cpu {
namespace {

// CPUID of an Ice Lake, and what it saves: x87, SSE, AVX, opmask, both halves of ZMM, PKRU.
constexpr X86Report kIceLake = {0x7ffafbff, 0xf2bf67eb, 0x405f5ede, 0, 0x2e7};

// An Alder Lake: AVX-VNNI, no AVX-512.
constexpr X86Report kAlderLake = {0x7ffafbff, 0x239c27eb, 0x98c007bc, 1u << 4, 0x207};

X86Report without(X86Report cpu, uint32_t leaf1, uint32_t leaf7_ebx, uint32_t leaf7_ecx, uint64_t xcr0) {
  return {cpu.leaf1_ecx & ~leaf1, cpu.leaf7_ebx & ~leaf7_ebx, cpu.leaf7_ecx & ~leaf7_ecx, cpu.leaf7_1_eax,
          cpu.xcr0 & ~xcr0};
}

struct Case {
  const char* name;
  X86Report cpu;
  bool avx2, avx512, avxvnni = false;
};

const Case kCases[] = {
    {"Ice Lake", kIceLake, true, true},
    {"nothing", {}, false, false},
    {"no OSXSAVE", without(kIceLake, 1u << 27, 0, 0, 0), false, false},
    {"the system saves SSE only", without(kIceLake, 0, 0, 0, 4), false, false},
    {"the system saves no opmask", without(kIceLake, 0, 0, 0, 1u << 5), true, false},
    {"the system saves half of ZMM", without(kIceLake, 0, 0, 0, 1u << 6), true, false},
    {"the system saves 16 ZMM", without(kIceLake, 0, 0, 0, 1u << 7), true, false},
    {"no FMA", without(kIceLake, 1u << 12, 0, 0, 0), false, false},
    {"no F16C", without(kIceLake, 1u << 29, 0, 0, 0), false, false},
    {"no AVX2", without(kIceLake, 0, 1u << 5, 0, 0), false, false},
    {"no BMI2", without(kIceLake, 0, 1u << 8, 0, 0), false, false},
    {"no AVX-512F", without(kIceLake, 0, 1u << 16, 0, 0), true, false},
    {"no AVX-512DQ", without(kIceLake, 0, 1u << 17, 0, 0), true, false},
    {"no AVX-512BW", without(kIceLake, 0, 1u << 30, 0, 0), true, false},
    {"no AVX-512VL", without(kIceLake, 0, 1u << 31, 0, 0), true, false},
    {"Alder Lake", kAlderLake, true, false, true},
    {"Alder Lake, the system saves SSE only", without(kAlderLake, 0, 0, 0, 4), false, false, false},
    {"Alder Lake without FMA", without(kAlderLake, 1u << 12, 0, 0, 0), false, false, false},
    {"no VNNI (Skylake-X)", without(kIceLake, 0, 0, 1u << 11, 0), true, false},
};

int check() {
  int failures = 0, cases = 0;
  for (const Case& c : kCases) {
    const Features has = features_of(c.cpu);
    ++cases;
    if (has.avx2 == c.avx2 && has.avx512 == c.avx512 && has.avxvnni == c.avxvnni) continue;
    std::printf("%s: avx2 %d avx512 %d avxvnni %d\n", c.name, has.avx2, has.avx512, has.avxvnni);
    ++failures;
  }
  std::printf("%d processors, %d failed\n", cases, failures);
  return failures ? 1 : 0;
}

}  // namespace
}  // namespace kvasir::cpu

int main() { return kvasir::cpu::check(); }
