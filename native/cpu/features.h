// What the processor has and the operating system keeps when it switches threads: a register needs both.
#pragma once

#include <cstdint>

namespace kvasir::cpu {

// Whether the kernels of a set may run (their compiler flags are in CMakeLists.txt).
struct Features {
  bool avx2 = false;
  bool avxvnni = false;
  bool avx512 = false;
  bool neon = false;
  bool dotprod = false;
  bool i8mm = false;
};

// What CPUID says of x86, and XGETBV of the registers that the system saves (0 when there is no XGETBV).
struct X86Report {
  uint32_t leaf1_ecx = 0;
  uint32_t leaf7_ebx = 0;
  uint32_t leaf7_ecx = 0;
  uint32_t leaf7_1_eax = 0;  // of its second page
  uint64_t xcr0 = 0;
};

constexpr bool has_all(uint64_t word, uint64_t bits) { return (word & bits) == bits; }

constexpr Features features_of(const X86Report& cpu) {
  constexpr uint32_t kOsxsave = 1u << 27, kAvx = 1u << 28, kFma = 1u << 12, kF16c = 1u << 29;  // leaf 1, ECX
  constexpr uint32_t kAvx2 = 1u << 5, kBmi2 = 1u << 8;                                         // leaf 7, EBX
  constexpr uint32_t kAvx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;                      // F, DQ, BW, VL
  constexpr uint32_t kVnni = 1u << 11;                                                         // leaf 7, ECX
  constexpr uint32_t kAvxVnni = 1u << 4;                                                       // leaf 7.1, EAX
  constexpr uint64_t kYmm = 1u << 1 | 1u << 2, kZmm = kYmm | 1u << 5 | 1u << 6 | 1u << 7;      // XCR0
  Features has;
  has.avx2 = has_all(cpu.leaf1_ecx, kOsxsave | kAvx | kFma | kF16c) && has_all(cpu.leaf7_ebx, kAvx2 | kBmi2) &&
             has_all(cpu.xcr0, kYmm);
  has.avxvnni = has.avx2 && has_all(cpu.leaf7_1_eax, kAvxVnni);
  has.avx512 = has.avx2 && has_all(cpu.leaf7_ebx, kAvx512) && has_all(cpu.leaf7_ecx, kVnni) && has_all(cpu.xcr0, kZmm);
  return has;
}

// Of this machine.
Features features();

}  // namespace kvasir::cpu
