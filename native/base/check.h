// The one way native code refuses what it was given. Caught at the binding, where it becomes a KvasirError.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace kvasir {

// `code` is one of lib/errors.ts.
class Error : public std::runtime_error {
 public:
  Error(const char* code, const std::string& message) : std::runtime_error(message), code(code) {}
  const char* code;
};

// The exception that is being handled.
inline Error error_now() {
  try {
    throw;
  } catch (const Error& known) {
    return known;
  } catch (const std::exception& other) {
    return Error("KV_NATIVE", other.what());
  }
}

template <typename... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

}  // namespace kvasir

// Throws kvasir::Error when `condition` is false. The message names what was found and what was expected.
#define KV_CHECK(condition, code, ...)                                          \
  do {                                                                          \
    if (!(condition)) throw ::kvasir::Error(code, ::kvasir::text(__VA_ARGS__)); \
  } while (0)
