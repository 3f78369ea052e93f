#include "native/tokenizer/added_tokens.h"

#include <utility>

#include "native/tokenizer/scan.h"

namespace kvasir::tokenizer {
namespace {

bool touches_word(std::string_view text, size_t begin, size_t end) {
  const char* first = text.data();
  const char* last = first + text.size();
  return (begin > 0 && has(previous(first + begin), last, kWord)) || has(first + end, last, kWord);
}

}  // namespace

void AddedTokens::add(const AddedToken& token, std::string_view content) {
  if (content.empty()) return;
  int32_t* first = &roots_[static_cast<uint8_t>(content[0])];
  int32_t node = -1;
  for (const char c : content) {
    node = child_of(*first, static_cast<uint8_t>(c));
    first = &nodes_[node].child;
  }
  nodes_[node].token = static_cast<int32_t>(tokens_.size());
  tokens_.push_back(token);
}

// The node of `byte` among the siblings that begin at `first`, made if need be. `first` may lie in nodes_.
int32_t AddedTokens::child_of(int32_t& first, uint8_t byte) {
  for (int32_t node = first; node >= 0; node = nodes_[node].next)
    if (nodes_[node].byte == byte) return node;
  const int32_t made = static_cast<int32_t>(nodes_.size());
  const int32_t next = std::exchange(first, made);
  nodes_.push_back({byte, -1, -1, next});
  return made;
}

AddedTokens::Match AddedTokens::longest(std::string_view text, size_t at, bool special) const {
  Match match;
  int32_t node = roots_[static_cast<uint8_t>(text[at])];
  for (size_t end = at + 1; node >= 0; ++end) {
    if (const int32_t index = nodes_[node].token; index >= 0) {
      const AddedToken& token = tokens_[index];
      if ((special || !token.special) && !(token.single_word && touches_word(text, at, end)))
        match = {&token, end - at};
    }
    node = nodes_[node].child;
    if (end == text.size()) break;
    while (node >= 0 && nodes_[node].byte != static_cast<uint8_t>(text[end])) node = nodes_[node].next;
  }
  return match;
}

void AddedTokens::split(std::string_view text, bool special, const std::vector<size_t>& barred,
                        const std::function<void(std::string_view)>& stretch,
                        const std::function<void(int32_t)>& found) const {
  const char* const last = text.data() + text.size();
  size_t done = 0;
  auto bar = barred.begin();
  for (size_t at = 0; at < text.size();) {
    while (bar != barred.end() && *bar < at) ++bar;
    const Match match = longest(text, at, special && (bar == barred.end() || *bar != at));
    if (!match.token) {
      ++at;
      continue;
    }
    size_t begin = at;
    const char* end = text.data() + at + match.bytes;
    if (match.token->lstrip)
      while (begin > done && has(previous(text.data() + begin), last, kSpace))
        begin = previous(text.data() + begin) - text.data();
    if (match.token->rstrip) end = run_of(end, last, kSpace);
    if (begin > done) stretch(text.substr(done, begin - done));
    found(match.token->id);
    done = at = end - text.data();
  }
  if (done < text.size()) stretch(text.substr(done));
}

}  // namespace kvasir::tokenizer
