#include "native/simt/lookalike/faults.h"

#include <csetjmp>
#include <csignal>
#include <cstdlib>
#include <mutex>

namespace kvasir::simt::lookalike {
namespace {

thread_local sigjmp_buf* way_out = nullptr;
struct sigaction before_us[2];

void on_fault(int signal, siginfo_t* info, void* context) {
  if (way_out) siglongjmp(*way_out, 1);
  const struct sigaction& other = before_us[signal == SIGBUS];
  if (other.sa_flags & SA_SIGINFO && other.sa_sigaction) return other.sa_sigaction(signal, info, context);
  if (other.sa_handler != SIG_DFL && other.sa_handler != SIG_IGN) return other.sa_handler(signal);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void install() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action = {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigaction(SIGSEGV, &action, &before_us[0]);
    sigaction(SIGBUS, &action, &before_us[1]);
  });
}

// The stack of a fiber may be what was overrun.
struct SignalStack {
  SignalStack() {
    stack.ss_size = 64 << 10;
    stack.ss_sp = std::malloc(stack.ss_size);
    sigaltstack(&stack, nullptr);
  }
  ~SignalStack() {
    stack_t off = {};
    off.ss_flags = SS_DISABLE;
    sigaltstack(&off, nullptr);
    std::free(stack.ss_sp);
  }
  stack_t stack = {};
};

}  // namespace

bool without_fault(const std::function<void()>& body) {
  install();
  thread_local SignalStack stack;
  sigjmp_buf here;
  way_out = &here;
  const bool fine = sigsetjmp(here, 1) == 0;
  if (fine) body();
  way_out = nullptr;
  return fine;
}

}  // namespace kvasir::simt::lookalike
