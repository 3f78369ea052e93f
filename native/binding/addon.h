// What every part of the binding shares: the one way back to JavaScript, and work off the event loop.
#pragma once

#include <napi.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "native/base/check.h"
#include "native/base/mmap.h"

namespace kvasir::binding {

// One per environment (main thread or worker), kept as its instance data. There is one thread-safe function for the
// whole addon: with one per object, a process that exits with fifty live objects aborts.
class Addon {
 public:
  Addon(Napi::Env env, Napi::Object exports);
  static Addon& of(Napi::Env env) { return *env.GetInstanceData<Addon>(); }

  // The addon's own object, with the classes of its handles.
  Napi::Object exports() const { return exports_.Value(); }

  // Runs `call` on the JavaScript thread. From any thread; dropped when the environment is closing.
  void post(std::function<void(Napi::Env)> call);

  // Runs `work` on the addon's own background thread.
  void run(std::function<void()> work);

  // Between hold() and release(), both on the JavaScript thread, the event loop stays alive.
  void hold(Napi::Env env);
  void release(Napi::Env env);

  // `stop` is called on the JavaScript thread when the environment closes, to join an object's threads.
  int on_close(std::function<void()> stop);
  void forget(int id);

 private:
  void close();
  void background();

  Napi::ObjectReference exports_;
  Napi::ThreadSafeFunction to_js_;
  int held_ = 0;
  int next_id_ = 0;
  std::map<int, std::function<void()>> stops_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool closing_ = false;
  std::thread thread_;  // started with the first work
};

// A JavaScript Error with `code` and `message`; a kvasir::Error keeps its code, anything else is KV_NATIVE.
Napi::Error js_error(Napi::Env env, const std::exception& error);

// Calls `body` and turns C++ exceptions into JavaScript ones. Every exported function goes through it.
template <typename Body>
auto guarded(Napi::Env env, Body body) -> decltype(body()) {
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& error) {
    throw js_error(env, error);
  }
}

// Resolves with convert(env, work()); work runs on the background thread and touches no JavaScript.
template <typename T>
Napi::Value run_async(Napi::Env env, std::function<T()> work, std::function<Napi::Value(Napi::Env, T&)> convert) {
  Addon& addon = Addon::of(env);
  auto deferred = std::make_shared<Napi::Promise::Deferred>(Napi::Promise::Deferred::New(env));
  addon.hold(env);
  addon.run([&addon, deferred, work = std::move(work), convert = std::move(convert)] {
    auto result = std::make_shared<T>();
    std::shared_ptr<Error> error;
    try {
      *result = work();
    } catch (const Error& known) {
      error = std::make_shared<Error>(known);
    } catch (const std::exception& other) {
      error = std::make_shared<Error>("KV_NATIVE", other.what());
    }
    addon.post([&addon, deferred, result, error, convert](Napi::Env env) {
      addon.release(env);
      if (error) {
        deferred->Reject(js_error(env, *error).Value());
        return;
      }
      try {
        deferred->Resolve(convert(env, *result));
      } catch (const Napi::Error& failure) {
        deferred->Reject(failure.Value());
      }
    });
  });
  return deferred->Promise();
}

// A function that may be let go on any thread; called and freed on the JavaScript thread.
using HeldFunction = std::shared_ptr<Napi::FunctionReference>;
HeldFunction hold_function(Napi::Env env, Napi::Function function);

// What this process has freed leaves it, too. Takes about a millisecond: not for the JavaScript thread.
void give_free_memory_back();

// The file behind a value made by openFile(). Throws KV_ARGUMENT, or KV_DISPOSED after close().
std::shared_ptr<MappedFile> file_of(Napi::Value value);

// One for each part, called when the addon is loaded.
void register_file(Napi::Env env, Napi::Object exports);
void register_machine(Napi::Env env, Napi::Object exports);
void register_model(Napi::Env env, Napi::Object exports);
void register_executor(Napi::Env env, Napi::Object exports);
void register_cuda(Napi::Env env, Napi::Object exports);
void register_convert(Napi::Env env, Napi::Object exports);
void register_tokenizer(Napi::Env env, Napi::Object exports);
void register_grammar(Napi::Env env, Napi::Object exports);

}  // namespace kvasir::binding
