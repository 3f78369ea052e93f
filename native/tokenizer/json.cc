#include "native/tokenizer/json.h"

#include <charconv>

#include "native/tokenizer/json_check.h"
#include "native/tokenizer/unicode.h"

namespace kvasir::tokenizer {
namespace {

const char* skip_blanks(const char* at) {
  while (is_blank(*at)) ++at;
  return at;
}

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
  check_json(text);
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
