// The patterns of DeepSeek's tokenizers.
#include <algorithm>
#include <utility>
#include <vector>

#include "native/tokenizer/scan.h"
#include "native/tokenizer/split_patterns.h"

namespace kvasir::tokenizer {
namespace {

// A set of characters, read from the inside of a [class].
class Ranges {
 public:
  explicit Ranges(std::string_view text) {
    for (const char* at = text.data(); at < text.data() + text.size();) {
      const CodePoint first = decode(at);
      at += first.bytes;
      uint32_t last = first.code;
      if (at < text.data() + text.size() && *at == '-') {
        const CodePoint point = decode(at + 1);
        last = point.code;
        at += 1 + point.bytes;
      }
      ranges_.emplace_back(first.code, last);
    }
    std::sort(ranges_.begin(), ranges_.end());
  }

  bool contains(uint32_t code) const {
    const auto after = std::upper_bound(ranges_.begin(), ranges_.end(), std::pair(code, UINT32_MAX));
    return after != ranges_.begin() && code <= std::prev(after)->second;
  }

 private:
  std::vector<std::pair<uint32_t, uint32_t>> ranges_;
};

// \s?RUN+
template <typename Contains>
size_t match_after_space(const char* at, const char* end, Contains contains) {
  const char* first = has(at, end, kSpace) ? at + decode(at).bytes : at;
  const char* stop = run_where(first, end, contains);
  if (stop > first) return stop - at;
  return run_where(at, end, contains) - at;  // a space that is in the class itself
}

}  // namespace

size_t match_deepseek3(const char* at, const char* end) {
  if (is_ascii_punctuation(*at)) {
    const char* stop = at + 1;
    while (stop < end && is_ascii_letter(*stop)) ++stop;
    if (stop > at + 1) return stop - at;
  }
  const char* word = at;
  if (!is_newline(*at) && !has(at, end, kLetter | kPunctuation | kSymbol)) word += decode(at).bytes;
  if (const char* stop = run_of(word, end, kLetter | kMark); stop > word) return stop - at;
  if (const char* stop = run_of(at, end, kLetter | kMark); stop > at) return stop - at;
  const char* first = at + (*at == ' ');
  if (const char* stop = run_of(first, end, kPunctuation | kSymbol); stop > first) {
    while (stop < end && is_newline(*stop)) ++stop;
    return stop - at;
  }
  return match_lines_or_space(at, end);
}

size_t match_deepseek3_cjk(const char* at, const char* end) {
  static const Ranges cjk(kDeepseek3Cjk);
  return run_where(at, end, [](uint32_t code) { return cjk.contains(code); }) - at;
}

size_t match_newline(const char* at, const char*) { return is_newline(*at); }

size_t match_deepseek_letters(const char* at, const char* end) {
  static const Ranges letters(kCasedLetters);
  return match_after_space(at, end, [](uint32_t code) { return letters.contains(code); });
}

size_t match_deepseek_punctuation(const char* at, const char* end) {
  static const Ranges punctuation(kDeepseekPunctuation);
  return match_after_space(at, end, [](uint32_t code) { return punctuation.contains(code); });
}

size_t match_deepseek_cjk(const char* at, const char* end) {
  static const Ranges cjk(kDeepseekCjk);
  return run_where(at, end, [](uint32_t code) { return cjk.contains(code); }) - at;
}

size_t match_coder_letters(const char* at, const char* end) {
  return match_after_space(at, end, [](uint32_t code) { return (flags_of(code) & kLetter) != 0; });
}

size_t match_coder_punctuation(const char* at, const char* end) {
  return match_after_space(at, end, [](uint32_t code) { return (flags_of(code) & kPunctuation) != 0; });
}

}  // namespace kvasir::tokenizer
