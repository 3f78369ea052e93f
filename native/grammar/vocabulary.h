// The tokens of a model as bytes, in the order in which a grammar walks them. Built once for a tokenizer.
//
// Most tokens are plain: whole characters, none of which JSON writes specially. Where a grammar takes any such character
// (inside a string), it takes all of them at once, and only the others are walked.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kvasir::grammar {

using ByteSet = std::bitset<256>;
using Bits = std::vector<uint32_t>;  // by token id

inline void set_bit(Bits& bits, int32_t id) { bits[id >> 5] |= 1u << (id & 31); }
inline bool has_bit(const Bits& bits, int32_t id) { return bits[id >> 5] >> (id & 31) & 1; }

// Tokens in a tree by their bytes, its nodes in preorder.
struct Trie {
  struct Node {
    uint8_t byte;
    uint16_t depth;  // of the state before the byte; the first bytes have 0
    int32_t token;   // that ends here, or −1
    int32_t skip;    // the next node that is not below this one
  };
  std::vector<Node> nodes;
  int32_t height = 0;
  std::array<int32_t, 256> first{};  // the node of a first byte, or −1
};

class Vocabulary {
 public:
  // tokens[id]: its bytes; empty for ids that are no text and may never come. `size`: of the logits, which may be more.
  // `leading`: a byte that a token loses where a text begins with it (SentencePiece's space), or −1.
  Vocabulary(std::vector<std::string> tokens, int32_t size, int leading);

  int32_t size() const { return size_; }
  size_t words() const { return (static_cast<size_t>(size_) + 31) / 32; }
  std::string_view bytes(int32_t id) const {
    return static_cast<size_t>(id) < tokens_.size() ? std::string_view(tokens_[id]) : std::string_view();
  }
  int leading() const { return leading_; }
  const ByteSet& usable() const { return usable_; }

  const Trie& plain() const { return plain_; }
  const Trie& other() const { return other_; }

  // Plain tokens of at most so many characters, and how many the longest has.
  const Bits& plain_up_to(int32_t characters) const { return plain_up_to_[characters]; }
  int32_t longest_plain() const { return static_cast<int32_t>(plain_up_to_.size()) - 1; }
  // The characters that plain tokens are made of, once each.
  const std::vector<std::string>& plain_characters() const { return plain_characters_; }

  // Bit n: a token is the first n bytes of `text`; n below 64.
  uint64_t prefixes(std::string_view text) const;

  bool has_twins() const { return has_twins_; }
  // Sets the bits of all tokens that have the bytes of `id`.
  void add_with_twins(Bits& bits, int32_t id) const {
    for (; id >= 0; id = twin_[id]) set_bit(bits, id);
  }
  void remove_with_twins(Bits& bits, int32_t id) const {
    for (; id >= 0; id = twin_[id]) bits[id >> 5] &= ~(1u << (id & 31));
  }

 private:
  Trie trie_of(std::vector<int32_t> ids);

  std::vector<std::string> tokens_;
  int32_t size_;
  int leading_;
  ByteSet usable_;
  Trie plain_, other_;
  bool has_twins_ = false;
  std::vector<int32_t> twin_;  // another id with the same bytes, or −1
  std::vector<Bits> plain_up_to_;
  std::vector<std::string> plain_characters_;
};

}  // namespace kvasir::grammar
