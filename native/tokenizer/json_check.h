// Is a text JSON? Asked once of a whole document, so that reading it need not ask again.
#pragma once

#include <string_view>

namespace kvasir::tokenizer {

// Throws KV_FORMAT with the byte of the first fault: what is not RFC 8259, nests deeper than 64, is not valid UTF-8, or
// escapes half a surrogate pair.
void check_json(std::string_view text);

inline bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Four hexadecimal digits; -1 when they are not.
int hex_quad(const char* at, const char* end);

}  // namespace kvasir::tokenizer
