#include "native/tokenizer/json.h"

#include <charconv>

#include "native/tokenizer/unicode.h"

namespace kvasir::tokenizer {
namespace {

constexpr int kMaxDepth = 64;

bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

const char* skip_blanks(const char* at) {
  while (is_blank(*at)) ++at;
  return at;
}

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Four hexadecimal digits; -1 when they are not.
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

// Past the string that opens at `at`; the text was checked.
const char* skip_string(const char* at) {
  for (++at; *at != '"'; ++at)
    if (*at == '\\') ++at;
  return at + 1;
}

const char* skip_value(const char* at) {
  int depth = 0;
  do {
    switch (*at) {
      case '"':
        at = skip_string(at);
        break;
      case '{':
      case '[':
        ++depth;
        ++at;
        break;
      case '}':
      case ']':
        --depth;
        ++at;
        break;
      default:
        if (depth > 0) {
          ++at;
        } else {
          while (is_digit(*at) || (*at >= 'a' && *at <= 'z') || *at == '-' || *at == '+' || *at == '.' || *at == 'E')
            ++at;
        }
    }
  } while (depth > 0);
  return at;
}

void unescape(const char* at, const char* end, std::string& out) {
  out.clear();
  while (at < end) {
    if (*at != '\\') {
      out.push_back(*at++);
      continue;
    }
    const char c = at[1];
    at += 2;
    if (c == 'u') {
      uint32_t code = hex_quad(at, end);
      at += 4;
      if (code >= 0xd800 && code <= 0xdfff) {
        code = 0x10000 + ((code - 0xd800) << 10) + (hex_quad(at + 2, end) - 0xdc00);
        at += 6;
      }
      append_utf8(out, code);
    } else {
      constexpr std::string_view kNames = "bfnrt", kValues = "\b\f\n\r\t";
      const size_t name = kNames.find(c);
      out.push_back(name == std::string_view::npos ? c : kValues[name]);
    }
  }
}

}  // namespace

Json Json::parse(std::string_view text) {
  Checker(text).document();
  return Json(skip_blanks(text.data()), text.data());
}

Json::Kind Json::kind() const {
  switch (*at_) {
    case '{':
      return Kind::object;
    case '[':
      return Kind::array;
    case '"':
      return Kind::string;
    case 't':
    case 'f':
      return Kind::boolean;
    case 'n':
      return Kind::null;
    default:
      return Kind::number;
  }
}

std::string_view Json::string(std::string& scratch) const {
  if (*at_ != '"') mismatch("a string");
  const char* end = at_ + 1;
  bool escaped = false;
  for (; *end != '"'; ++end) {
    if (*end != '\\') continue;
    escaped = true;
    ++end;
  }
  if (!escaped) return {at_ + 1, static_cast<size_t>(end - at_ - 1)};
  unescape(at_ + 1, end, scratch);
  return scratch;
}

std::string Json::string() const {
  std::string scratch;
  return std::string(string(scratch));
}

int64_t Json::integer() const {
  if (kind() != Kind::number) mismatch("an integer");
  int64_t value = 0;
  const char* end = skip_value(at_);
  const auto [rest, fault] = std::from_chars(at_, end, value);
  if (fault != std::errc() || rest != end) mismatch("an integer");
  return value;
}

bool Json::boolean() const {
  if (kind() != Kind::boolean) mismatch("true or false");
  return *at_ == 't';
}

Json Json::operator[](std::string_view key) const { return is_null() ? Json() : JsonMembers(*this)[key]; }

const char* Json::open(char bracket, const char* expected) const {
  if (*at_ != bracket) mismatch(expected);
  return skip_blanks(at_ + 1);
}

const char* Json::after_value(const char* at) {
  at = skip_blanks(skip_value(at));
  return *at == ',' ? skip_blanks(at + 1) : at;
}

const char* Json::after_colon(const char* key) { return skip_blanks(skip_blanks(skip_string(key)) + 1); }

void Json::mismatch(const char* expected) const {
  constexpr const char* kNames[] = {"null", "a boolean", "a number", "a string", "an array", "an object"};
  throw Error("KV_FORMAT", text("tokenizer.json: byte ", begin_ ? at_ - begin_ : 0, ": found ",
                                kNames[static_cast<int>(kind())], ", expected ", expected));
}

}  // namespace kvasir::tokenizer
