#include "native/tokenizer/normalize.h"

#include "native/tokenizer/scan.h"
#include "native/tokenizer/unicode.h"

namespace kvasir::tokenizer {
namespace {

std::string replaced(std::string_view text, const NormalizerStep& step) {
  std::string out;
  out.reserve(text.size() + text.size() / 4);
  while (true) {
    const size_t at = text.find(step.from);
    out.append(text.substr(0, at));
    if (at == std::string_view::npos) return out;
    out.append(step.to);
    text.remove_prefix(at + step.from.size());
  }
}

std::string lowercased(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = decode(text.data() + at);
    if (point.code == 0x130)
      out.append("i\xcc\x87");  // İ, the one letter whose lower case is two characters
    else
      append_utf8(out, lowercase(point.code));
    at += point.bytes;
  }
  return out;
}

std::string_view stripped(std::string_view text, const NormalizerStep& step) {
  const char* begin = text.data();
  const char* end = begin + text.size();
  if (step.left) begin = run_of(begin, end, kSpace);
  while (step.right && end > begin && has(previous(end), end, kSpace)) end = previous(end);
  return {begin, static_cast<size_t>(end - begin)};
}

}  // namespace

std::string_view Normalizer::run(std::string_view text, std::string& buffer) const {
  std::string next;
  for (const NormalizerStep& step : steps) {
    switch (step.kind) {
      case NormalizerStep::Kind::nfc:
        if (!compose(text, next)) continue;
        break;
      case NormalizerStep::Kind::prepend:
        if (text.empty()) continue;
        next = step.to + std::string(text);
        break;
      case NormalizerStep::Kind::replace:
        next = replaced(text, step);
        break;
      case NormalizerStep::Kind::lowercase:
        next = lowercased(text);
        break;
      case NormalizerStep::Kind::strip:
        text = stripped(text, step);
        continue;
    }
    buffer.swap(next);
    text = buffer;
  }
  return text;
}

}  // namespace kvasir::tokenizer
