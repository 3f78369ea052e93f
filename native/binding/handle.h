// Objects that JavaScript holds for native ones. `T` says which: a Value, a kName, and a kTag that no other object has.
#pragma once

#include <memory>
#include <string>

#include "native/binding/addon.h"

namespace kvasir::binding {

template <typename T>
class Handle : public Napi::ObjectWrap<Handle<T>> {
 public:
  explicit Handle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Handle<T>>(info) {
    info.This().As<Napi::Object>().TypeTag(&T::kTag);
  }
  std::shared_ptr<typename T::Value> value;
};

template <typename T>
void define_handle(Napi::Env env, Napi::Object exports) {
  exports.Set(T::kName, Handle<T>::DefineClass(env, T::kName, {}));
}

template <typename T>
Napi::Object make_handle(Napi::Env env, std::shared_ptr<typename T::Value> value) {
  const Napi::Value constructor = Addon::of(env).exports().Get(std::string(T::kName));
  Napi::Object object = constructor.As<Napi::Function>().New({});
  Handle<T>::Unwrap(object)->value = std::move(value);
  return object;
}

// Throws KV_ARGUMENT for anything but a handle of this kind.
template <typename T>
std::shared_ptr<typename T::Value> unwrap_handle(Napi::Value value) {
  KV_CHECK(value.IsObject() && value.As<Napi::Object>().CheckTypeTag(&T::kTag), "KV_ARGUMENT", "expected a ", T::kName);
  return Handle<T>::Unwrap(value.As<Napi::Object>())->value;
}

}  // namespace kvasir::binding
