// A grammar as lib/grammar/encode.ts writes it. All words are i32.
//
//   [0] magic   [1] S byte sets   [2] R rules   [3] the rule that a whole text is
//   sets   S × 8      256 bits, byte b is bit b % 32 of word b / 32
//   rules  R times    number of alternatives, and for each: number of elements, and for each a kind and its operands
//                       0 bytes   set               one byte of the set
//                       1 rule    rule              what the rule is
//                       2 repeat  rule, min, max    the rule so many times; max −1: without end
//
// A rule that is repeated never matches nothing, and no rule begins with itself: then the ways to read a text can be
// followed byte by byte without end conditions.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "native/grammar/vocabulary.h"

namespace kvasir::grammar {

constexpr int32_t kMagic = 0x4b564752;  // "KVGR"
constexpr int32_t kMaxWords = 1 << 24;
constexpr int32_t kNever = 1 << 28;  // a cost that nothing has

struct Element {
  enum class Kind : int32_t { bytes, rule, repeat, end };
  Kind kind = Kind::end;
  int32_t target = 0;  // set or rule
  int32_t min = 0;
  int32_t max = 0;
};

class Rules {
 public:
  // Throws KV_NATIVE when the words are no grammar as described above. No byte is matched that no token of the vocabulary
  // has; throws KV_UNSUPPORTED when no text is left then.
  Rules(const int32_t* words, size_t count, const Vocabulary& vocabulary);

  const Element& element(int32_t at) const { return elements_[at]; }
  const ByteSet& set(int32_t at) const { return sets_[at]; }
  int32_t root() const { return root_; }

  // First elements of a rule's alternatives, without those that no text completes.
  const std::vector<int32_t>& alternatives(int32_t rule) const { return alternatives_[rule]; }

  // Tokens that are enough to match from the element to the end of its alternative; of a repeat, all of its repetitions.
  // A byte counts as a token, but what is written letter by letter is counted in the fewest tokens.
  int32_t rest(int32_t element) const { return rest_[element]; }
  // Tokens that are enough to match the rule.
  int32_t cost(int32_t rule) const { return cost_[rule]; }

  // Bytes with the same class are told apart by no set.
  int32_t classes() const { return static_cast<int32_t>(representative_.size()); }
  int32_t class_of(uint8_t byte) const { return class_[byte]; }
  uint8_t representative(int32_t byte_class) const { return representative_[byte_class]; }

  size_t bytes() const { return elements_.size() * (sizeof(Element) + 4) + sets_.size() * sizeof(ByteSet); }

 private:
  void parse(const int32_t* words, size_t count);
  void find_costs();
  void find_literals(const Vocabulary& vocabulary);
  int32_t find_rest(int32_t first);
  int64_t element_cost(const Element& element) const;
  void drop_dead_alternatives();
  void check_repeats() const;
  void check_left_recursion() const;
  void find_classes();

  std::vector<ByteSet> sets_;
  std::vector<Element> elements_;  // alternative by alternative, each closed by an end
  std::vector<std::vector<int32_t>> alternatives_;
  std::vector<int32_t> rest_, cost_;
  std::vector<uint64_t> literal_;  // by element, bit n: a token is it and the n + 1 single bytes after it
  std::array<uint8_t, 256> class_{};
  std::vector<uint8_t> representative_;
  int32_t root_ = 0;
};

}  // namespace kvasir::grammar
