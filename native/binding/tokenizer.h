#pragma once

#include <memory>

#include "native/binding/addon.h"
#include "native/tokenizer/tokenizer.h"

namespace kvasir::binding {

// What createTokenizer() resolved with. Throws KV_ARGUMENT for anything else.
std::shared_ptr<const tokenizer::Tokenizer> tokenizer_of(Napi::Value value);

}  // namespace kvasir::binding
