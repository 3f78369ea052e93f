// Ids back to bytes: the decoders of tokenizer.json. Each token has bytes of its own, so text can be streamed; only the
// space that some tokenizers put before a text is taken off the whole.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvasir::tokenizer {

struct Decoder {
  std::vector<std::pair<std::string, std::string>> replacements;  // in each token, in order
  bool byte_fallback = false;                                     // <0x41> is the byte
  std::string strip{};                                            // taken off the start of the whole text …
  int strip_times = 0;                                            // … so often

  // Appends the bytes of a token.
  void append(std::string_view token, std::string& out) const;
  // Takes off what `strip` names.
  void strip_start(std::string& text) const;
};

}  // namespace kvasir::tokenizer
