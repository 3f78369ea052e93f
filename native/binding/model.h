#pragma once

#include <memory>

#include "native/binding/addon.h"
#include "native/program/program.h"

namespace kvasir::binding {

// What createProgram() and createWeights() returned. Throw KV_ARGUMENT for anything else.
std::shared_ptr<const Program> program_of(Napi::Value value);
std::shared_ptr<const Weights> weights_of(Napi::Value value);

inline bool is_int32_array(Napi::Value value) {
  return value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_int32_array;
}

}  // namespace kvasir::binding
