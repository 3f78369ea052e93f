// The parts of a tokenizer.json besides its model: normalizer, pre_tokenizer, decoder, post_processor.
// Each function throws KV_UNSUPPORTED with the name of a component that is not known.
#pragma once

#include <vector>

#include "native/tokenizer/decode.h"
#include "native/tokenizer/json.h"
#include "native/tokenizer/normalize.h"
#include "native/tokenizer/pretokenize.h"

namespace kvasir::tokenizer {

std::vector<NormalizerStep> read_normalizer(const Json& json);

// `byte_level` becomes true when a ByteLevel step is among them.
std::vector<PreTokenizerStep> read_pre_tokenizer(const Json& json, bool& byte_level);

Decoder read_decoder(const Json& json);

// The ids that a TemplateProcessing puts around a single text.
struct Ends {
  std::vector<int32_t> prefix;
  std::vector<int32_t> suffix;
};
Ends read_post_processor(const Json& json);

}  // namespace kvasir::tokenizer
