// cudaCards() → { driver, cards }: what is there. openCuda(card, kernelFolders) → a card that works, with its facts.
#include "native/binding/cuda.h"

#include "native/driver/kernels.h"

namespace kvasir::binding {
namespace {

using ContextValue = Napi::External<driver::ContextPtr>;

Napi::Object card_object(Napi::Env env, const driver::CardFacts& card) {
  auto object = Napi::Object::New(env);
  object.Set("name", card.name);
  object.Set("computeCapability", card.compute_capability);
  object.Set("multiprocessors", card.multiprocessors);
  object.Set("memory", static_cast<double>(card.memory));
  return object;
}

Napi::Value cuda_cards(const Napi::CallbackInfo& info) {
  using Found = std::shared_ptr<const driver::Driver>;
  return run_async<Found>(
      info.Env(), [] { return driver::Driver::open(); },
      [](Napi::Env env, Found& driver) -> Napi::Value {
        auto object = Napi::Object::New(env);
        object.Set("driver", driver->version());
        auto cards = Napi::Array::New(env);
        for (const driver::CardFacts& card : driver->cards()) cards.Set(cards.Length(), card_object(env, card));
        object.Set("cards", cards);
        return object;
      });
}

struct Opened {
  driver::ContextPtr context;
  uint64_t free = 0;
};

Napi::Value open_cuda(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    KV_CHECK(info[0].IsNumber(), "KV_ARGUMENT", "openCuda: expected the number of a card");
    const int card = info[0].As<Napi::Number>().Int32Value();
    return run_async<Opened>(
        info.Env(),
        [card, folders = folders_of(info[1])] {
          Opened opened;
          opened.context = std::make_shared<driver::Context>(driver::Driver::open(), card);
          // Machine code is looked at when a kernel of it is first asked for.
          driver::Kernels(opened.context, folders).find("add", 0);
          opened.free = opened.context->free_memory();
          return opened;
        },
        [](Napi::Env env, Opened& opened) -> Napi::Value {
          Napi::Object object = card_object(env, opened.context->card());
          object.Set("card", opened.context->index());
          object.Set("freeMemory", static_cast<double>(opened.free));
          object.Set("context", ContextValue::New(env, new driver::ContextPtr(opened.context),
                                                  [](Napi::Env, driver::ContextPtr* held) { delete held; }));
          return object;
        });
  });
}

driver::ContextPtr& held_in(Napi::Value value) {
  KV_CHECK(value.IsObject() && value.As<Napi::Object>().Get("context").IsExternal(), "KV_ARGUMENT",
           "expected what openCuda() gives");
  return *value.As<Napi::Object>().Get("context").As<ContextValue>().Data();
}

void close_cuda(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] { held_in(info[0]).reset(); });
}

}  // namespace

driver::ContextPtr context_of(Napi::Value value) {
  const driver::ContextPtr context = held_in(value);
  KV_CHECK(context, "KV_DISPOSED", "the card was closed");
  return context;
}

std::vector<std::string> folders_of(Napi::Value value) {
  KV_CHECK(value.IsArray(), "KV_ARGUMENT", "kernelFolders: expected an array");
  const auto list = value.As<Napi::Array>();
  std::vector<std::string> folders;
  for (uint32_t i = 0; i < list.Length(); ++i) folders.push_back(list.Get(i).ToString());
  return folders;
}

std::function<void(cuda::UploadProgress)> progress_to(Napi::Env env, Napi::Value function) {
  if (!function.IsFunction()) return {};
  Addon& addon = Addon::of(env);
  return [&addon, held = hold_function(env, function.As<Napi::Function>())](cuda::UploadProgress progress) {
    addon.post([held, progress](Napi::Env env) {
      held->Call({Napi::Number::New(env, static_cast<double>(progress.done)),
                  Napi::Number::New(env, static_cast<double>(progress.total))});
    });
  };
}

void register_cuda(Napi::Env env, Napi::Object exports) {
  exports.Set("cudaCards", Napi::Function::New(env, cuda_cards));
  exports.Set("openCuda", Napi::Function::New(env, open_cuda));
  exports.Set("closeCuda", Napi::Function::New(env, close_cuda));
}

}  // namespace kvasir::binding
