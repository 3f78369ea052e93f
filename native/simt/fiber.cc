// Context switches: six registers by hand on x86-64 (System V ABI), the C library's ucontext elsewhere, which makes a
// system call a switch and is some twenty times slower.
#include "native/simt/fiber.h"

#include <cstdint>

#ifdef KVASIR_SIMT_USES_UCONTEXT

namespace kvasir::simt {

void prepare(Fiber& fiber, unsigned char* stack, size_t size, void (*entry)()) {
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = stack;
  fiber.context.uc_stack.ss_size = size;
  fiber.context.uc_link = nullptr;
  makecontext(&fiber.context, entry, 0);
}

void switch_fiber(Fiber& from, Fiber& to) { swapcontext(&from.context, &to.context); }

}  // namespace kvasir::simt

#else

extern "C" void kvasir_simt_switch(void** from, void* to);
asm(R"(
  .text
  .globl kvasir_simt_switch
  .type kvasir_simt_switch, @function
kvasir_simt_switch:
  push %rbp
  push %rbx
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbx
  pop %rbp
  ret
  .size kvasir_simt_switch, . - kvasir_simt_switch
)");

namespace kvasir::simt {

void prepare(Fiber& fiber, unsigned char* stack, size_t size, void (*entry)()) {
  auto** top = reinterpret_cast<void**>(stack + size);
  *--top = nullptr;  // where entry would return to; also leaves the stack aligned as after a call
  *--top = reinterpret_cast<void*>(entry);
  for (int i = 0; i < 6; ++i) *--top = nullptr;
  fiber.stack_pointer = top;
}

void switch_fiber(Fiber& from, Fiber& to) { kvasir_simt_switch(&from.stack_pointer, to.stack_pointer); }

}  // namespace kvasir::simt

#endif
