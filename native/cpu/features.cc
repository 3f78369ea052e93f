#include "native/cpu/features.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(__aarch64__) && defined(_WIN32)
#include <windows.h>
#endif

namespace kvasir::cpu {

#if defined(__x86_64__)

Features features() {
  X86Report report;
  uint32_t a, b, c, d;
  if (__get_cpuid(1, &a, &b, &c, &d)) report.leaf1_ecx = c;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
    report.leaf7_ebx = b;
    report.leaf7_ecx = c;
    const uint32_t last_page = a;
    if (last_page >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) report.leaf7_1_eax = a;
  }
  if (report.leaf1_ecx >> 27 & 1) {  // OSXSAVE: without it XGETBV is an illegal instruction
    uint32_t low, high;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    report.xcr0 = uint64_t{high} << 32 | low;
  }
  return features_of(report);
}

#elif defined(__aarch64__) && defined(__linux__)

Features features() {
  // Numbers of the kernel's interface; the C library's headers may be older than they are.
  constexpr unsigned long kAtomics = 1ul << 8;      // HWCAP_ATOMICS, part of ARMv8.1
  constexpr unsigned long kDotProduct = 1ul << 20;  // HWCAP_ASIMDDP
  constexpr unsigned long kMatrix8 = 1ul << 13;     // HWCAP2_I8MM
  Features has;
  has.neon = true;
  has.dotprod = has_all(getauxval(AT_HWCAP), kAtomics | kDotProduct);
  has.i8mm = has.dotprod && getauxval(AT_HWCAP2) & kMatrix8;
  return has;
}

#elif defined(__aarch64__) && defined(__APPLE__)

static bool says(const char* name) {
  int value = 0;
  size_t size = sizeof(value);
  return sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value != 0;
}

Features features() {
  Features has;
  has.neon = true;
  has.dotprod = says("hw.optional.arm.FEAT_DotProd");
  has.i8mm = has.dotprod && says("hw.optional.arm.FEAT_I8MM");
  return has;
}

#elif defined(__aarch64__) && defined(_WIN32)

Features features() {
  // PF_ARM_V82_DP_INSTRUCTIONS_AVAILABLE and PF_ARM_V82_I8MM_INSTRUCTIONS_AVAILABLE, which older headers lack.
  Features has;
  has.neon = true;
  has.dotprod = IsProcessorFeaturePresent(43);
  has.i8mm = has.dotprod && IsProcessorFeaturePresent(66);
  return has;
}

#else

Features features() { return {}; }

#endif

}  // namespace kvasir::cpu
