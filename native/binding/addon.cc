// The addon's life: registration, the way back to JavaScript, and an orderly end. There is no arithmetic here.
#include "native/binding/addon.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace kvasir::binding {

Addon::Addon(Napi::Env env, Napi::Object exports) : exports_(Napi::Persistent(exports)) {
  exports_.SuppressDestruct();
  auto nothing = Napi::Function::New(env, [](const Napi::CallbackInfo&) {});
  to_js_ = Napi::ThreadSafeFunction::New(env, nothing, "kvasir", 0, 1);
  to_js_.Unref(env);
  // Hooks run last in, first out: ours comes before the thread-safe function's own, so threads end while it lives.
  napi_add_env_cleanup_hook(
      env, [](void* self) { static_cast<Addon*>(self)->close(); }, this);
}

void Addon::post(std::function<void(Napi::Env)> call) {
  auto* payload = new std::function<void(Napi::Env)>(std::move(call));
  const auto deliver = [](Napi::Env env, Napi::Function, std::function<void(Napi::Env)>* payload) {
    std::unique_ptr<std::function<void(Napi::Env)>> owned(payload);
    if (env == nullptr) return;
    Napi::HandleScope scope(env);
    try {
      (*owned)(env);
    } catch (const Napi::Error&) {
      // A worker that is being terminated can run no more JavaScript.
    }
  };
  if (to_js_.BlockingCall(payload, deliver) != napi_ok) delete payload;
}

void Addon::run(std::function<void()> work) {
  std::lock_guard lock(mutex_);
  if (closing_) return;
  if (!thread_.joinable()) thread_ = std::thread([this] { background(); });
  queue_.push_back(std::move(work));
  changed_.notify_one();
}

void Addon::background() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return closing_ || !queue_.empty(); });
    if (closing_) return;
    auto work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    work();
    work = nullptr;
    lock.lock();
  }
}

void Addon::hold(Napi::Env env) {
  if (held_++ == 0) to_js_.Ref(env);
}

void Addon::release(Napi::Env env) {
  if (--held_ == 0) to_js_.Unref(env);
}

int Addon::on_close(std::function<void()> stop) {
  stops_.emplace(++next_id_, std::move(stop));
  return next_id_;
}

void Addon::forget(int id) { stops_.erase(id); }

void Addon::close() {
  for (auto stops = std::move(stops_); auto& [id, stop] : stops) stop();
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
  // Work that never ran may own an executor. Its threads must end now: later there is no way back to JavaScript.
  queue_.clear();
}

HeldFunction hold_function(Napi::Env env, Napi::Function function) {
  Addon& addon = Addon::of(env);
  return HeldFunction(new Napi::FunctionReference(Napi::Persistent(function)),
                      [&addon](Napi::FunctionReference* held) { addon.post([held](Napi::Env) { delete held; }); });
}

Napi::Error js_error(Napi::Env env, const std::exception& error) {
  const auto* known = dynamic_cast<const Error*>(&error);
  Napi::Error result = Napi::Error::New(env, error.what());
  result.Set("code", Napi::String::New(env, known ? known->code : "KV_NATIVE"));
  return result;
}

void give_free_memory_back() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

namespace {

// glibc raises the size from which it maps a block of its own each time such a block is freed, up to 32 MB; from then on
// what a model leaves stays in the heaps of the threads that loaded it, and a process that loads models grows. With the
// size fixed at glibc's own default, a block goes back to the system when it is freed.
void give_blocks_back() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 128 << 10);
#endif
}

}  // namespace

Napi::Object init(Napi::Env env, Napi::Object exports) {
  give_blocks_back();
  env.SetInstanceData(new Addon(env, exports));
  register_file(env, exports);
  register_machine(env, exports);
  register_model(env, exports);
  register_executor(env, exports);
  register_cuda(env, exports);
  register_convert(env, exports);
  register_tokenizer(env, exports);
  register_grammar(env, exports);
  return exports;
}

}  // namespace kvasir::binding

static Napi::Object init_addon(Napi::Env env, Napi::Object exports) { return kvasir::binding::init(env, exports); }

NODE_API_MODULE(kvasir, init_addon)
