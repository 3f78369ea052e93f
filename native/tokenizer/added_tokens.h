// Tokens that are written as such in the text (<|im_end|>, <tool_call>) and never made by merges. A trie finds the
// longest one at each place, from left to right.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace kvasir::tokenizer {

struct AddedToken {
  int32_t id = -1;
  std::string content{};
  bool special = false;      // a control token: it is not text, and is read from text only when the caller asks
  bool normalized = false;   // looked for in the normalised text
  bool single_word = false;  // only where no word character touches it
  bool lstrip = false;       // takes the spaces on its left with it
  bool rstrip = false;
};

class AddedTokens {
 public:
  // `content` is what to look for: the token's own, or its normalised form.
  void add(const AddedToken& token, std::string_view content);

  bool empty() const { return tokens_.empty(); }

  // Calls `stretch` for text without tokens and `found` for each token, in order. Special ones only with `special`, and
  // none that begins at one of `barred` (ascending).
  void split(std::string_view text, bool special, const std::vector<size_t>& barred,
             const std::function<void(std::string_view)>& stretch, const std::function<void(int32_t)>& found) const;

  void each(const std::function<void(const AddedToken&)>& visit) const {
    for (const AddedToken& token : tokens_) visit(token);
  }

 private:
  struct Node {
    uint8_t byte = 0;
    int32_t token = -1;  // index in tokens_
    int32_t child = -1;
    int32_t next = -1;  // sibling
  };
  struct Match {
    const AddedToken* token = nullptr;
    size_t bytes = 0;
  };

  int32_t child_of(int32_t& first, uint8_t byte);
  Match longest(std::string_view text, size_t at, bool special) const;

  std::vector<AddedToken> tokens_;
  std::vector<Node> nodes_;
  std::array<int32_t, 256> roots_ = no_roots();

  static std::array<int32_t, 256> no_roots() {
    std::array<int32_t, 256> roots;
    roots.fill(-1);
    return roots;
  }
};

}  // namespace kvasir::tokenizer
