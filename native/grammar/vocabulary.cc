#include "native/grammar/vocabulary.h"

#include <algorithm>
#include <unordered_set>

#include "native/base/check.h"

namespace kvasir::grammar {
namespace {

constexpr size_t kLongestToken = 1 << 15;
constexpr int32_t kMostCharacters = 32;  // of a plain token; longer ones are walked

// The length of the character at the start of `text`, or 0 where there is no whole one.
size_t character(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i)
    if (byte(i) >> 6 != 2) return 0;
  const bool too_long = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);
  const bool no_character = (lead == 0xed && byte(1) >= 0xa0) || (lead == 0xf4 && byte(1) >= 0x90);
  return too_long || no_character ? 0 : length;
}

// Characters of a token that is plain, or 0; each is shown to `see`.
template <typename See>
int32_t plain_length(std::string_view token, See see) {
  int32_t count = 0;
  while (!token.empty()) {
    const size_t length = character(token);
    if (length == 0 || static_cast<uint8_t>(token[0]) < 0x20 || token[0] == '"' || token[0] == '\\') return 0;
    see(token.substr(0, length));
    token.remove_prefix(length);
    if (++count > kMostCharacters) return 0;
  }
  return count;
}

}  // namespace

Vocabulary::Vocabulary(std::vector<std::string> tokens, int32_t size, int leading)
    : tokens_(std::move(tokens)), size_(size), leading_(leading) {
  KV_CHECK(size > 0, "KV_NATIVE", "vocabulary: ", size, " tokens");
  tokens_.resize(std::min<size_t>(tokens_.size(), size));
  twin_.assign(size, -1);
  std::vector<int32_t> plain, other, lengths(size, 0);
  std::unordered_set<std::string> characters;
  int32_t longest = 0;
  for (int32_t id = 0; id < static_cast<int32_t>(tokens_.size()); ++id) {
    const std::string& token = tokens_[id];
    if (token.empty() || token.size() > kLongestToken) continue;
    for (const char byte : token) usable_.set(static_cast<uint8_t>(byte));
    lengths[id] = plain_length(token, [](std::string_view) {});
    longest = std::max(longest, lengths[id]);
    (lengths[id] > 0 ? plain : other).push_back(id);
    if (lengths[id] > 0) plain_length(token, [&](std::string_view one) { characters.emplace(one); });
  }
  plain_characters_.assign(characters.begin(), characters.end());
  std::sort(plain_characters_.begin(), plain_characters_.end());
  plain_up_to_.assign(longest + 1, Bits(words(), 0));
  for (const int32_t id : plain)
    for (int32_t n = lengths[id]; n <= longest; ++n) set_bit(plain_up_to_[n], id);
  plain_ = trie_of(std::move(plain));
  other_ = trie_of(std::move(other));
}

uint64_t Vocabulary::prefixes(std::string_view text) const {
  uint64_t found = 0;
  for (const Trie* trie : {&plain_, &other_}) {
    int32_t node = text.empty() ? -1 : trie->first[static_cast<uint8_t>(text[0])];
    for (size_t depth = 1; node >= 0; ++depth) {
      if (trie->nodes[node].token >= 0) found |= uint64_t{1} << depth;
      if (depth == std::min<size_t>(text.size(), 63)) break;
      const int32_t end = trie->nodes[node].skip;
      int32_t child = node + 1;
      while (child < end && trie->nodes[child].byte != static_cast<uint8_t>(text[depth]))
        child = trie->nodes[child].skip;
      node = child < end ? child : -1;
    }
  }
  return found;
}

Trie Vocabulary::trie_of(std::vector<int32_t> ids) {
  std::stable_sort(ids.begin(), ids.end(), [&](int32_t a, int32_t b) { return tokens_[a] < tokens_[b]; });
  Trie trie;
  std::vector<int32_t> path;  // the nodes of the last token
  const std::string* last = nullptr;
  for (const int32_t id : ids) {
    const std::string& token = tokens_[id];
    if (last && *last == token) {
      Trie::Node& node = trie.nodes[path.back()];
      twin_[id] = node.token;
      has_twins_ = true;
      node.token = id;
      continue;
    }
    size_t common = 0;
    if (last) common = std::mismatch(last->begin(), last->end(), token.begin(), token.end()).first - last->begin();
    const auto here = static_cast<int32_t>(trie.nodes.size());
    for (size_t i = common; i < path.size(); ++i) trie.nodes[path[i]].skip = here;
    path.resize(common);
    for (size_t i = common; i < token.size(); ++i) {
      path.push_back(static_cast<int32_t>(trie.nodes.size()));
      trie.nodes.push_back({static_cast<uint8_t>(token[i]), static_cast<uint16_t>(i), -1, 0});
    }
    trie.nodes[path.back()].token = id;
    trie.height = std::max(trie.height, static_cast<int32_t>(token.size()));
    last = &token;
  }
  for (const int32_t node : path) trie.nodes[node].skip = static_cast<int32_t>(trie.nodes.size());
  trie.first.fill(-1);
  for (int32_t i = 0; i < static_cast<int32_t>(trie.nodes.size()); i = trie.nodes[i].skip)
    trie.first[trie.nodes[i].byte] = i;
  return trie;
}

}  // namespace kvasir::grammar
