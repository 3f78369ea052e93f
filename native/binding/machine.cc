// info(), peakMemory(), memoryBandwidth(threads): what the addon found of the processor and the memory.
#include "native/base/bandwidth.h"
#include "native/base/cpu_count.h"
#include "native/base/system.h"
#include "native/binding/addon.h"
#include "native/cpu/table.h"

namespace kvasir::binding {
namespace {

Napi::Value info_object(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const char* error = nullptr;
    const cpu::KernelTable* kernels = cpu::select_kernels(&error);
    KV_CHECK(kernels, "KV_UNSUPPORTED", error);
    auto result = Napi::Object::New(info.Env());
    result.Set("isa", kernels->isa);
    result.Set("cores", usable_cores());
    return result;
  });
}

// memoryBandwidth(threads) → Promise<number>: bytes a second, measured off the event loop.
Napi::Value memory_bandwidth(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    KV_CHECK(info[0].IsNumber(), "KV_ARGUMENT", "memoryBandwidth: expected a number of threads");
    const int threads = info[0].As<Napi::Number>().Int32Value();
    KV_CHECK(threads >= 1 && threads <= 1024, "KV_ARGUMENT", "memoryBandwidth: ", threads, " threads");
    return run_async<double>(
        info.Env(), [threads] { return read_bandwidth(threads); },
        [](Napi::Env env, double& bandwidth) -> Napi::Value { return Napi::Number::New(env, bandwidth); });
  });
}

Napi::Value peak_memory(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), kvasir::peak_memory()); }

}  // namespace

void register_machine(Napi::Env env, Napi::Object exports) {
  exports.Set("info", Napi::Function::New(env, info_object));
  exports.Set("peakMemory", Napi::Function::New(env, peak_memory));
  exports.Set("memoryBandwidth", Napi::Function::New(env, memory_bandwidth));
}

}  // namespace kvasir::binding
