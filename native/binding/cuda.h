// What other parts of the binding need to know of cards.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "native/binding/addon.h"
#include "native/driver/context.h"
#include "native/executor/cuda/weights.h"

namespace kvasir::binding {

// The context behind a value made by openCuda(). Throws KV_ARGUMENT.
driver::ContextPtr context_of(Napi::Value value);
std::vector<std::string> folders_of(Napi::Value value);
// Calls `function(done, total)` on the JavaScript thread; nothing when it is undefined.
std::function<void(cuda::UploadProgress)> progress_to(Napi::Env env, Napi::Value function);

}  // namespace kvasir::binding
