#include "native/tokenizer/json_check.h"

#include <cstdint>

#include "native/base/check.h"
#include "native/tokenizer/unicode.h"

namespace kvasir::tokenizer {
namespace {

constexpr int kMaxDepth = 64;

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Checks a document by recursive descent.
class Checker {
 public:
  explicit Checker(std::string_view text) : begin_(text.data()), at_(begin_), end_(begin_ + text.size()) {}

  void document() {
    value(0);
    blanks();
    if (at_ != end_) fail("the end of the file");
  }

 private:
  [[noreturn]] void fail(const char* expected) const {
    throw Error("KV_FORMAT", text("tokenizer.json: byte ", at_ - begin_, ": expected ", expected));
  }

  char peek() const { return at_ < end_ ? *at_ : '\0'; }
  void blanks() {
    while (at_ < end_ && is_blank(*at_)) ++at_;
  }

  void value(int depth) {
    blanks();
    switch (peek()) {
      case '{':
        return container(depth, '}', true);
      case '[':
        return container(depth, ']', false);
      case '"':
        return string();
      case 't':
        return word("true");
      case 'f':
        return word("false");
      case 'n':
        return word("null");
      default:
        return number();
    }
  }

  void container(int depth, char close, bool keyed) {
    if (depth == kMaxDepth) fail("at most 64 nested values");
    ++at_;
    blanks();
    if (peek() == close && at_ < end_) {
      ++at_;
      return;
    }
    while (true) {
      if (keyed) {
        blanks();
        if (peek() != '"') fail("a key in quotes");
        string();
        blanks();
        if (peek() != ':') fail("a colon");
        ++at_;
      }
      value(depth + 1);
      blanks();
      const char next = peek();
      if (next != ',' && next != close) fail(keyed ? "a comma or }" : "a comma or ]");
      ++at_;
      if (next == close) return;
    }
  }

  void word(std::string_view expected) {
    if (std::string_view(at_, end_ - at_).substr(0, expected.size()) != expected) fail("a value");
    at_ += expected.size();
  }

  void digits() {
    if (!is_digit(peek())) fail("a digit");
    while (is_digit(peek())) ++at_;
  }

  void number() {
    if (peek() != '-' && !is_digit(peek())) fail("a value");
    if (peek() == '-') ++at_;
    if (peek() == '0')
      ++at_;
    else
      digits();
    if (peek() == '.') {
      ++at_;
      digits();
    }
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      digits();
    }
  }

  void string() {
    ++at_;
    const char* run = at_;
    while (true) {
      if (at_ == end_) fail("a closing quote");
      const char c = *at_;
      if (static_cast<uint8_t>(c) < 0x20) fail("no control character in a string");
      if (c != '"' && c != '\\') {
        ++at_;
        continue;
      }
      const std::string_view plain(run, at_ - run);
      if (const size_t valid = valid_utf8(plain); valid != plain.size()) {
        at_ = run + valid;
        fail("valid UTF-8");
      }
      ++at_;
      if (c == '"') return;
      escape();
      run = at_;
    }
  }

  void escape() {
    const char c = peek();
    ++at_;
    if (c != 'u') {
      if (c == '\0' || std::string_view("\"\\/bfnrt").find(c) == std::string_view::npos) {
        --at_;
        fail("an escape of JSON");
      }
      return;
    }
    const int unit = hex_quad(at_, end_);
    if (unit < 0) fail("four hexadecimal digits");
    at_ += 4;
    if (unit < 0xd800 || unit > 0xdfff) return;
    const bool pair = unit < 0xdc00 && end_ - at_ >= 6 && at_[0] == '\\' && at_[1] == 'u';
    const int low = pair ? hex_quad(at_ + 2, end_) : -1;
    if (low < 0xdc00 || low > 0xdfff) fail("the other half of a surrogate pair");
    at_ += 6;
  }

  const char* begin_;
  const char* at_;
  const char* end_;
};

}  // namespace

void check_json(std::string_view text) { Checker(text).document(); }

int hex_quad(const char* at, const char* end) {
  if (end - at < 4) return -1;
  int value = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = hex_digit(at[i]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

}  // namespace kvasir::tokenizer
