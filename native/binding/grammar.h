#pragma once

#include <memory>

#include "native/binding/addon.h"
#include "native/grammar/grammar.h"

namespace kvasir::binding {

// What createGrammar() resolved with. Throws KV_ARGUMENT for anything else.
std::shared_ptr<grammar::Grammar> grammar_of(Napi::Value value);

}  // namespace kvasir::binding
