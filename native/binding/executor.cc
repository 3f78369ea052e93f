// createExecutor(options) → { open(slot, sampler), submit(step) → Promise, swap(copies) → Promise, … }.
//
// A step is copied in and its result copied out; between the two no JavaScript value is touched.
#include "native/executor/executor.h"

#include "native/base/bandwidth.h"
#include "native/base/cpu_count.h"
#include "native/base/system.h"
#include "native/binding/cuda.h"
#include "native/binding/grammar.h"
#include "native/binding/model.h"
#include "native/executor/cuda/executor.h"

namespace kvasir::binding {
namespace {

int32_t int_of(Napi::Object object, const char* name, int32_t low) {
  const Napi::Value value = object.Get(name);
  KV_CHECK(value.IsNumber(), "KV_ARGUMENT", name, ": expected a number");
  const int32_t number = value.As<Napi::Number>().Int32Value();
  KV_CHECK(number >= low, "KV_ARGUMENT", name, " is ", number, ", expected at least ", low);
  return number;
}

float float_of(Napi::Object object, const char* name) { return object.Get(name).ToNumber().FloatValue(); }

std::vector<int32_t> ids_of(Napi::Value value, const char* name) {
  KV_CHECK(is_int32_array(value), "KV_ARGUMENT", name, ": expected an Int32Array");
  const auto ids = value.As<Napi::Int32Array>();
  return {ids.Data(), ids.Data() + ids.ElementLength()};
}

bool is_background(Napi::Value priority) { return priority.ToString().Utf8Value() == "background"; }

SamplerParams sampler_of(Napi::Object from) {
  SamplerParams params;
  params.temperature = float_of(from, "temperature");
  params.top_k = int_of(from, "topK", 0);
  params.top_p = float_of(from, "topP");
  params.min_p = float_of(from, "minP");
  params.repetition_penalty = float_of(from, "repetitionPenalty");
  params.frequency_penalty = float_of(from, "frequencyPenalty");
  params.presence_penalty = float_of(from, "presencePenalty");
  const auto seed = from.Get("seed").As<Napi::Array>();
  params.seed = uint64_t{seed.Get(uint32_t{0}).ToNumber().Uint32Value()} |
                uint64_t{seed.Get(uint32_t{1}).ToNumber().Uint32Value()} << 32;
  params.top_logprobs = int_of(from, "topLogprobs", -1);
  KV_CHECK(params.top_logprobs <= kMaxTopLogprobs, "KV_ARGUMENT", "topLogprobs is ", params.top_logprobs,
           ", expected at most ", kMaxTopLogprobs);
  params.stop_tokens = ids_of(from.Get("stopTokens"), "stopTokens");
  const std::vector<int32_t> bias = ids_of(from.Get("biasIds"), "biasIds");
  const auto values = from.Get("biasValues").As<Napi::Float32Array>();
  KV_CHECK(values.ElementLength() == bias.size(), "KV_ARGUMENT", "biasValues and biasIds differ in length");
  for (size_t i = 0; i < bias.size(); ++i) params.logit_bias.emplace_back(bias[i], values[i]);
  if (const Napi::Value grammar = from.Get("grammar"); !grammar.IsUndefined()) {
    params.grammar = grammar_of(grammar);
    params.grammar_budget = int_of(from, "grammarBudget", 1);
  }
  return params;
}

// Of each thread: (busy, waited) ns of every word of the code.
Napi::Value profile_array(Napi::Env env, const Profile& profile, int threads) {
  auto array = Napi::Array::New(env);
  for (int i = 0; i < threads; ++i) {
    const std::vector<Profile::Cell>& cells = profile.cells(i);
    auto times = Napi::Float64Array::New(env, 2 * cells.size());
    for (size_t w = 0; w < cells.size(); ++w) {
      times[2 * w] = cells[w].busy_ns;
      times[2 * w + 1] = cells[w].waited_ns;
    }
    array.Set(array.Length(), times);
  }
  return array;
}

// What a device needs of the options that JavaScript gives.
struct ModelOnDevice {
  explicit ModelOnDevice(Napi::Value value) {
    KV_CHECK(value.IsObject(), "KV_ARGUMENT", "createExecutor: expected options");
    const auto from = value.As<Napi::Object>();
    options.threads = int_of(from, "threads", 1);
    options.slots = int_of(from, "slots", 1);
    options.background = is_background(from.Get("priority"));
    options.profile = from.Get("profile").ToBoolean();
    options.kv.dtype = static_cast<Dtype>(int_of(from, "kvDtype", 0));
    options.kv.pages = int_of(from, "pages", 1);
    options.kv.layers = int_of(from, "layers", 1);
    options.kv.kv_heads = int_of(from, "kvHeads", 1);
    options.kv.head_dim = int_of(from, "headDim", 1);
    if (const Napi::Value swap = from.Get("swap"); swap.IsObject()) {
      options.swap.pages = int_of(swap.As<Napi::Object>(), "pages", 1);
      if (const Napi::Value folder = swap.As<Napi::Object>().Get("folder"); folder.IsString())
        options.swap.folder = folder.ToString().Utf8Value();
    }
    const auto list = from.Get("programs").As<Napi::Array>();
    for (uint32_t i = 0; i < list.Length(); ++i) programs.push_back(program_of(list.Get(i)));
    weights = weights_of(from.Get("weights"));
  }
  ExecutorOptions options;
  std::shared_ptr<const Weights> weights;
  std::vector<std::shared_ptr<const Program>> programs;
};

Napi::Object durations(Napi::Env env, const grammar::Durations::Summary& summary) {
  auto result = Napi::Object::New(env);
  result.Set("count", static_cast<double>(summary.count));
  result.Set("totalUs", summary.total_us);
  result.Set("medianUs", summary.median_us);
  result.Set("p99Us", summary.p99_us);
  return result;
}

class ExecutorWrap : public Napi::ObjectWrap<ExecutorWrap> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "Executor",
        {InstanceMethod<&ExecutorWrap::open>("open"), InstanceMethod<&ExecutorWrap::submit>("submit"),
         InstanceMethod<&ExecutorWrap::add_program>("addProgram"), InstanceMethod<&ExecutorWrap::release>("release"),
         InstanceMethod<&ExecutorWrap::set_priority>("setPriority"), InstanceMethod<&ExecutorWrap::swap>("swap"),
         InstanceMethod<&ExecutorWrap::dispose>("dispose"), InstanceMethod<&ExecutorWrap::stats>("stats")});
  }

  explicit ExecutorWrap(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<ExecutorWrap>(info), addon_(Addon::of(info.Env())) {
    guarded(info.Env(), [&] {
      if (info[0].IsExternal()) {  // from createCudaExecutor
        executor_ = *info[0].As<Napi::External<std::shared_ptr<Device>>>().Data();
        return;
      }
      ModelOnDevice from(info[0]);
      executor_ = std::make_shared<Executor>(from.options, std::move(from.weights), std::move(from.programs));
    });
    stop_id_ = addon_.on_close([executor = executor_] { executor->stop(); });
  }

  ~ExecutorWrap() override { addon_.forget(stop_id_); }

 private:
  std::shared_ptr<Device> executor() const {
    KV_CHECK(executor_, "KV_DISPOSED", "the executor was disposed");
    return executor_;
  }

  void open(const Napi::CallbackInfo& info) {
    guarded(info.Env(), [&] {
      KV_CHECK(info[0].IsNumber() && info[1].IsObject(), "KV_ARGUMENT", "open: expected a slot and a sampler");
      const auto from = info[1].As<Napi::Object>();
      executor()->open(info[0].As<Napi::Number>().Int32Value(), sampler_of(from), ids_of(from.Get("prompt"), "prompt"));
    });
  }

  Napi::Value submit(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const auto running = executor();
      auto words = ids_of(info[0], "step");
      auto deferred = std::make_shared<Napi::Promise::Deferred>(Napi::Promise::Deferred::New(info.Env()));
      Addon& addon = addon_;
      running->submit(std::move(words), [&addon, deferred](std::vector<int32_t> result, std::optional<Error> error) {
        addon.post([&addon, deferred, result = std::move(result), error = std::move(error)](Napi::Env env) {
          addon.release(env);
          if (error) {
            deferred->Reject(js_error(env, *error).Value());
            return;
          }
          auto words = Napi::Int32Array::New(env, result.size());
          std::copy(result.begin(), result.end(), words.Data());
          deferred->Resolve(words);
        });
      });
      addon.hold(info.Env());  // after submit(): it throws when the executor is stopping
      return deferred->Promise();
    });
  }

  void release(const Napi::CallbackInfo& info) {
    guarded(info.Env(), [&] { executor()->release(ids_of(info[0], "release")); });
  }

  void set_priority(const Napi::CallbackInfo& info) {
    guarded(info.Env(), [&] { executor()->set_background(is_background(info[0])); });
  }

  Napi::Value swap(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      auto deferred = std::make_shared<Napi::Promise::Deferred>(Napi::Promise::Deferred::New(info.Env()));
      Addon& addon = addon_;
      executor()->swap(ids_of(info[0], "swap"), [&addon, deferred](double ms, std::optional<Error> error) {
        addon.post([&addon, deferred, ms, error = std::move(error)](Napi::Env env) {
          addon.release(env);
          if (error)
            deferred->Reject(js_error(env, *error).Value());
          else
            deferred->Resolve(Napi::Number::New(env, ms));
        });
      });
      addon.hold(info.Env());
      return deferred->Promise();
    });
  }

  Napi::Value add_program(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      return Napi::Number::New(info.Env(), executor()->add_program(program_of(info[0])));
    });
  }

  Napi::Value dispose(const Napi::CallbackInfo& info) {
    addon_.forget(stop_id_);
    auto executor = std::move(executor_);
    executor_.reset();
    return run_async<bool>(
        info.Env(),
        [executor]() mutable {
          if (executor) executor->stop();
          executor.reset();
          give_free_memory_back();
          return true;
        },
        [](Napi::Env env, bool&) { return env.Undefined(); });
  }

  Napi::Value stats(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const auto running = executor();
      const ExecutorStats stats = running->stats();
      auto result = Napi::Object::New(info.Env());
      result.Set("background", stats.background);
      result.Set("steps", static_cast<double>(stats.steps));
      result.Set("busyMs", stats.busy_ms);
      result.Set("arenaBytes", static_cast<double>(stats.arena_bytes));
      result.Set("kvBytes", static_cast<double>(stats.kv_bytes));
      result.Set("threads", running->threads());
      result.Set("graphs", static_cast<double>(stats.graphs));
      result.Set("replays", static_cast<double>(stats.replays));
      result.Set("wgmma", stats.wgmma);
      auto formats = Napi::Object::New(info.Env());
      formats.Set("path", durations(info.Env(), stats.format_path));
      formats.Set("beside", durations(info.Env(), stats.format_beside));
      result.Set("formats", formats);
      if (const Profile* profile = running->profile())
        result.Set("profile", profile_array(info.Env(), *profile, running->threads()));
      return result;
    });
  }

  Addon& addon_;
  int stop_id_ = 0;
  std::shared_ptr<Device> executor_;
};

// createCudaExecutor(options with `cuda`, `kernelFolders` and `onProgress`): to upload the weights takes its time.
Napi::Value create_cuda_executor(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    auto from = std::make_shared<ModelOnDevice>(info[0]);
    const auto options = info[0].As<Napi::Object>();
    auto card = std::make_shared<cuda::CardOptions>();
    card->context = context_of(options.Get("cuda"));
    card->kernel_folders = folders_of(options.Get("kernelFolders"));
    card->progress = progress_to(info.Env(), options.Get("onProgress"));
    const auto constructor =
        hold_function(info.Env(), info.This().As<Napi::Object>().Get("Executor").As<Napi::Function>());
    return run_async<std::shared_ptr<Device>>(
        info.Env(),
        [from, card]() -> std::shared_ptr<Device> {
          return std::make_shared<cuda::CudaExecutor>(from->options, *card, *from->weights, from->programs);
        },
        [constructor](Napi::Env env, std::shared_ptr<Device>& device) -> Napi::Value {
          return constructor->New({Napi::External<std::shared_ptr<Device>>::New(env, &device)});
        });
  });
}

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

void register_executor(Napi::Env env, Napi::Object exports) {
  exports.Set("Executor", ExecutorWrap::define(env));
  exports.Set("createExecutor", Napi::Function::New(env, [](const Napi::CallbackInfo& info) -> Napi::Value {
                return info.This().As<Napi::Object>().Get("Executor").As<Napi::Function>().New({info[0]});
              }));
  exports.Set("createCudaExecutor", Napi::Function::New(env, create_cuda_executor));
  exports.Set("info", Napi::Function::New(env, info_object));
  exports.Set("memoryBandwidth", Napi::Function::New(env, memory_bandwidth));
  exports.Set("peakMemory", Napi::Function::New(env, peak_memory));
}

}  // namespace kvasir::binding
