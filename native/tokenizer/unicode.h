// UTF-8, character classes and canonical composition (Unicode 17.0; the tables are made by scripts/make-unicode.cjs).
//
// Text inside the tokenizer is valid UTF-8: it is checked where it comes in and every part keeps it so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kvasir::tokenizer {

// Bits of flags_of().
enum : uint16_t {
  kLetter = 1,
  kMark = 2,
  kNumber = 4,
  kSpace = 8,  // White_Space
  kPunctuation = 16,
  kSymbol = 32,
  kUpper = 64,  // Lu and Lt
  kLower = 128,
  kWord = 256,     // \w: Alphabetic, M, Nd, Pc, Join_Control
  kUnstable = 512  // may change under NFC
};

uint16_t flags_of(uint32_t code);
// The order of the canonical combining class; 0 for starters.
int combining_rank(uint32_t code);
uint32_t lowercase(uint32_t code);

struct CodePoint {
  uint32_t code;
  uint32_t bytes;
};

// The code point at `at`, which must lie in valid UTF-8.
inline CodePoint decode(const char* at) {
  const auto byte = [at](int i) { return static_cast<uint32_t>(static_cast<uint8_t>(at[i])); };
  const uint32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  if (first < 0xe0) return {(first & 0x1f) << 6 | (byte(1) & 0x3f), 2};
  if (first < 0xf0) return {(first & 0x0f) << 12 | (byte(1) & 0x3f) << 6 | (byte(2) & 0x3f), 3};
  return {(first & 0x07) << 18 | (byte(1) & 0x3f) << 12 | (byte(2) & 0x3f) << 6 | (byte(3) & 0x3f), 4};
}

inline bool is_continuation(char byte) { return (static_cast<uint8_t>(byte) & 0xc0) == 0x80; }

void append_utf8(std::string& out, uint32_t code);

// Bytes of the longest valid prefix of `text`; text.size() when all of it is valid.
size_t valid_utf8(std::string_view text);

// Puts U+FFFD for each byte that is not part of a valid character, and one for each lone surrogate.
std::string repair_utf8(std::string_view text);

// Writes NFC of `text` to `out` and returns true, or returns false when the text already is in NFC.
bool compose(std::string_view text, std::string& out);

}  // namespace kvasir::tokenizer
