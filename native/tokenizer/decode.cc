#include "native/tokenizer/decode.h"

#include "native/tokenizer/vocab.h"

namespace kvasir::tokenizer {

void Decoder::append(std::string_view token, std::string& out) const {
  if (byte_fallback) {
    if (const int byte = fallback_byte(token); byte >= 0) {
      out.push_back(static_cast<char>(byte));
      return;
    }
  }
  const size_t begin = out.size();
  out.append(token);
  for (const auto& [from, to] : replacements)
    for (size_t at = begin; (at = out.find(from, at)) != std::string::npos; at += to.size())
      out.replace(at, from.size(), to);
}

void Decoder::strip_start(std::string& text) const {
  size_t size = 0;
  for (int i = 0; i < strip_times && text.compare(size, strip.size(), strip) == 0 && !strip.empty(); ++i)
    size += strip.size();
  text.erase(0, size);
}

}  // namespace kvasir::tokenizer
