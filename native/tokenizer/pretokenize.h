// Cuts text into the words that merges never cross: the steps that checkpoints name in tokenizer.json, or the ones that
// a GGUF's tokenizer.ggml.pre stands for.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "native/tokenizer/split_patterns.h"

namespace kvasir::tokenizer {

// What becomes of a match and of the text between matches (the names of Hugging Face tokenizers).
enum class Behaviour { removed, isolated, merged_with_previous, merged_with_next, contiguous };

struct PreTokenizerStep {
  enum class Kind {
    split,           // by `match`, or by `literal` when there is none
    trailing_space,  // \s+$: the spaces at the end are a word (as a matcher it would look ahead from each of them)
    prefix_space,    // a space before a word that has none
    metaspace        // spaces become "▁", with one before the text
  };
  enum class Prefix { never, first, always };  // metaspace: before which texts

  Kind kind = Kind::split;
  Matcher match = nullptr;
  std::string literal{};
  Behaviour behaviour = Behaviour::isolated;
  bool invert = false;  // matches and the text between them change places
  Prefix prefix = Prefix::always;
  bool split_words = true;  // metaspace: cut before each "▁"
};

class PreTokenizer {
 public:
  using Emit = std::function<void(std::string_view)>;

  // Calls `emit` with each word in order. `first`: the text is the start of the input, not what follows a special
  // token.
  void run(std::string_view text, bool first, const Emit& emit) const { apply(0, text, first, emit); }

  std::vector<PreTokenizerStep> steps;

 private:
  void apply(size_t step, std::string_view text, bool first, const Emit& emit) const;
};

// The steps of a GGUF's pre-tokenizer. Throws KV_UNSUPPORTED for a name that is not known.
std::vector<PreTokenizerStep> pre_tokenizer_steps(std::string_view name);

}  // namespace kvasir::tokenizer
