// What is done to text before it is cut into words: the normalizers of tokenizer.json.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kvasir::tokenizer {

struct NormalizerStep {
  enum class Kind { nfc, prepend, replace, lowercase, strip };

  Kind kind;
  std::string from{};  // replace: a literal
  std::string to{};    // replace, prepend
  bool left = false;   // strip
  bool right = false;
};

class Normalizer {
 public:
  // The normalised text: a view of `text` when nothing changed, else of `buffer`.
  std::string_view run(std::string_view text, std::string& buffer) const;

  std::vector<NormalizerStep> steps;
};

}  // namespace kvasir::tokenizer
