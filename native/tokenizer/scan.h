// What the hand-written matchers are made of: runs of characters with a property. Text is valid UTF-8.
#pragma once

#include <cstddef>

#include "native/tokenizer/unicode.h"

namespace kvasir::tokenizer {

inline bool has(const char* at, const char* end, uint16_t flags) {
  return at < end && (flags_of(decode(at).code) & flags);
}

// Past the longest run of characters that have one of `flags`.
inline const char* run_of(const char* at, const char* end, uint16_t flags) {
  while (has(at, end, flags)) at += decode(at).bytes;
  return at;
}

// Past the longest run of characters that have none of `flags`.
inline const char* run_without(const char* at, const char* end, uint16_t flags) {
  while (at < end && !has(at, end, flags)) at += decode(at).bytes;
  return at;
}

template <typename Contains>
const char* run_where(const char* at, const char* end, Contains contains) {
  while (at < end) {
    const CodePoint point = decode(at);
    if (!contains(point.code)) break;
    at += point.bytes;
  }
  return at;
}

inline bool is_newline(char c) { return c == '\r' || c == '\n'; }
inline bool is_slash_or_newline(char c) { return is_newline(c) || c == '/'; }

inline const char* previous(const char* at) {
  do --at;
  while (is_continuation(*at));
  return at;
}

// \s+(?!\S)|\s+
inline size_t match_space_run(const char* at, const char* end) {
  const char* stop = run_of(at, end, kSpace);
  if (stop == at || stop == end) return stop - at;
  const char* last = previous(stop);  // the run keeps away from what follows it, if it can
  return (last == at ? stop : last) - at;
}

// \s*[\r\n]+|\s+(?!\S)|\s+
inline size_t match_lines_or_space(const char* at, const char* end) {
  const char* stop = run_of(at, end, kSpace);
  for (const char* last = stop; last > at; --last)
    if (is_newline(last[-1])) return last - at;
  return match_space_run(at, end);
}

inline size_t match_digits(const char* at, const char* end, int most) {
  const char* stop = at;
  for (int i = 0; i < most && has(stop, end, kNumber); ++i) stop += decode(stop).bytes;
  return stop - at;
}

inline bool is_ascii_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }
inline bool is_ascii_punctuation(char c) {
  return c > ' ' && c < 0x7f && !is_ascii_letter(c) && !(c >= '0' && c <= '9');
}

}  // namespace kvasir::tokenizer
