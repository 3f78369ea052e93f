#include "native/tokenizer/split_patterns.h"

#include "native/tokenizer/scan.h"

namespace kvasir::tokenizer {
namespace {

//  's|'t|'re|'ve|'m|'ll|'d, in lower case only or in any (where U+017F is an s too)
size_t match_contraction(const char* at, const char* end, bool any_case) {
  if (end - at < 2 || *at != '\'') return 0;
  const auto letter = [&](int i) {
    const char c = at + i < end ? at[i] : '\0';
    return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  };
  if (any_case && end - at >= 3 && at[1] == '\xc5' && at[2] == '\xbf') return 3;
  switch (letter(1)) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return 2;
    case 'r':
    case 'v':
      return letter(2) == 'e' ? 3 : 0;
    case 'l':
      return letter(2) == 'l' ? 3 : 0;
    default:
      return 0;
  }
}

// [^\r\n\p{L}\p{N}]?LETTERS+ where LETTERS are the characters with one of `letters`
size_t match_prefixed_word(const char* at, const char* end, uint16_t letters) {
  const char* word = at;
  if (!is_newline(*at) && !has(at, end, kLetter | kNumber)) word += decode(at).bytes;
  const char* stop = run_of(word, end, letters);
  if (stop > word) return stop - at;
  return run_of(at, end, letters) - at;
}

//  ?[^\s\p{L}\p{N}]+ and then TAIL*; `excluded` is the class
template <typename InTail>
size_t match_others(const char* at, const char* end, uint16_t excluded, InTail in_tail) {
  const char* first = at + (*at == ' ');
  const char* stop = run_without(first, end, excluded);
  if (stop == first) return 0;
  while (stop < end && in_tail(*stop)) ++stop;
  return stop - at;
}

// The pattern of GPT-4 and its descendants.
size_t match_gpt4(const char* at, const char* end, uint16_t letters, int digits) {
  if (const size_t size = match_contraction(at, end, true)) return size;
  if (const size_t size = match_prefixed_word(at, end, letters)) return size;
  if (const size_t size = match_digits(at, end, digits)) return size;
  if (const size_t size = match_others(at, end, kSpace | kNumber | letters, is_newline)) return size;
  return match_lines_or_space(at, end);
}

bool is_upper(uint32_t code) {  // [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]
  const uint16_t flags = flags_of(code);
  return (flags & kMark) || ((flags & kLetter) && !(flags & kLower));
}

bool is_lower(uint32_t code) {  // [\p{Ll}\p{Lm}\p{Lo}\p{M}]
  const uint16_t flags = flags_of(code);
  return (flags & kMark) || ((flags & kLetter) && !(flags & kUpper));
}

// UPPER*LOWER+
const char* capitalised(const char* at, const char* end) {
  const char* uppers = run_where(at, end, is_upper);
  const char* stop = run_where(uppers, end, is_lower);
  if (stop > uppers) return stop;
  // What is both (a mark, a letter without case) may end the word when nothing lower follows.
  while (stop > at) {
    const char* last = previous(stop);
    if (is_lower(decode(last).code)) return stop;
    stop = last;
  }
  return nullptr;
}

// [^\r\n\p{L}\p{N}]?UPPER*LOWER+ or [^\r\n\p{L}\p{N}]?UPPER+LOWER*
const char* match_cased_word(const char* at, const char* end) {
  const bool prefixed = !is_newline(*at) && !has(at, end, kLetter | kNumber);
  const char* word = prefixed ? at + decode(at).bytes : at;
  for (const char* start : {word, at})
    if (const char* stop = capitalised(start, end)) return stop;
  for (const char* start : {word, at})
    if (const char* stop = run_where(start, end, is_upper); stop > start) return stop;
  return nullptr;
}

size_t match_gpt4o_family(const char* at, const char* end, bool contractions, int digits) {
  if (const char* stop = match_cased_word(at, end))
    return stop - at + (contractions ? match_contraction(stop, end, true) : 0);
  if (const size_t size = match_digits(at, end, digits)) return size;
  if (const size_t size = match_others(at, end, kSpace | kLetter | kNumber, is_slash_or_newline)) return size;
  return match_lines_or_space(at, end);
}

}  // namespace

size_t match_gpt2(const char* at, const char* end) {
  if (const size_t size = match_contraction(at, end, false)) return size;
  const char* first = at + (*at == ' ');
  if (const char* stop = run_of(first, end, kLetter); stop > first) return stop - at;
  if (const char* stop = run_of(first, end, kNumber); stop > first) return stop - at;
  if (const char* stop = run_without(first, end, kSpace | kLetter | kNumber); stop > first) return stop - at;
  return match_space_run(at, end);
}

size_t match_llama3(const char* at, const char* end) { return match_gpt4(at, end, kLetter, 3); }
size_t match_qwen2(const char* at, const char* end) { return match_gpt4(at, end, kLetter, 1); }
size_t match_qwen35(const char* at, const char* end) { return match_gpt4(at, end, kLetter | kMark, 1); }
size_t match_gpt4o(const char* at, const char* end) { return match_gpt4o_family(at, end, true, 3); }
size_t match_tekken(const char* at, const char* end) { return match_gpt4o_family(at, end, false, 1); }

size_t match_numbers(const char* at, const char* end) { return run_of(at, end, kNumber) - at; }
size_t match_number(const char* at, const char* end) { return match_digits(at, end, 1); }
size_t match_number3(const char* at, const char* end) { return match_digits(at, end, 3); }

size_t match_default_punctuation(const char* at, const char* end) {
  const auto contains = [](uint32_t code) {
    constexpr std::string_view kMore = "$+<=>^~|";
    return (flags_of(code) & kPunctuation) || (code < 0x80 && kMore.find(static_cast<char>(code)) != kMore.npos);
  };
  return run_where(at, end, contains) - at;
}

size_t match_three_digits(const char* at, const char* end) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return end - at >= 3 && digit(at[0]) && digit(at[1]) && digit(at[2]) ? 3 : 0;
}

size_t match_spaces(const char* at, const char* end) { return run_of(at, end, kSpace) - at; }

size_t match_word(const char* at, const char* end) {
  if (const char* stop = run_of(at, end, kWord); stop > at) return stop - at;
  return run_without(at, end, kWord | kSpace) - at;
}

size_t match_punctuation(const char* at, const char* end) {
  return is_ascii_punctuation(*at) || has(at, end, kPunctuation) ? decode(at).bytes : 0;
}

}  // namespace kvasir::tokenizer
