// A small strict JSON reader (RFC 8259) for tokenizer.json. The text is checked once, then read through views that copy
// nothing: a vocabulary of 30 MB is walked in place, in its mapped file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "native/base/check.h"

namespace kvasir::tokenizer {

class Json {
 public:
  enum class Kind { null, boolean, number, string, array, object };

  Json() : Json("null", nullptr) {}

  // Checks all of `text`, which must outlive every view of it. Throws KV_FORMAT with the byte of the first fault.
  static Json parse(std::string_view text);

  Kind kind() const;
  bool is_null() const { return kind() == Kind::null; }
  bool is_string() const { return kind() == Kind::string; }
  bool is_array() const { return kind() == Kind::array; }

  // Each throws KV_FORMAT when the value is of another kind.
  std::string string() const;
  std::string_view string(std::string& scratch) const;  // scratch is used when the text holds escapes
  int64_t integer() const;
  bool boolean() const;
  bool boolean_or(bool otherwise) const { return is_null() ? otherwise : boolean(); }

  // The member called `key`, or a null value; null too when this is null.
  Json operator[](std::string_view key) const;

  // visit(Json) for each element.
  template <typename Visit>
  void each(Visit visit) const {
    const char* at = open('[', "an array");
    while (*at != ']') {
      visit(Json(at, begin_));
      at = after_value(at);
    }
  }

  // visit(std::string_view key, Json) for each member.
  template <typename Visit>
  void members(Visit visit) const {
    const char* at = open('{', "an object");
    std::string scratch;
    while (*at != '}') {
      const Json key(at, begin_);
      const char* value = after_colon(at);
      visit(key.string(scratch), Json(value, begin_));
      at = after_value(value);
    }
  }

 private:
  Json(const char* at, const char* begin) : at_(at), begin_(begin) {}

  const char* open(char bracket, const char* expected) const;
  static const char* after_value(const char* at);  // past the value, blanks and a comma
  static const char* after_colon(const char* key);
  [[noreturn]] void mismatch(const char* expected) const;

  const char* at_;
  const char* begin_;  // of the document, for messages
};

// The members of an object, found once: for an object whose members are large.
class JsonMembers {
 public:
  explicit JsonMembers(const Json& object) {
    object.members([&](std::string_view key, const Json& value) { members_.emplace_back(key, value); });
  }

  Json operator[](std::string_view key) const {
    for (const auto& [name, value] : members_)
      if (name == key) return value;
    return Json();
  }

 private:
  std::vector<std::pair<std::string, Json>> members_;
};

}  // namespace kvasir::tokenizer
