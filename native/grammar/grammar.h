// A grammar over a vocabulary: which tokens may come next, found once for each state and shared by all who are there.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "native/grammar/rules.h"
#include "native/grammar/states.h"
#include "native/grammar/vocabulary.h"

namespace kvasir::grammar {

// The tokens that keep the text a beginning of a sentence.
struct TokenMask {
  Bits bits;
  bool any = false;
  int32_t cost = 0;  // the most tokens that complete the text after one of them
};

// How far one text has come.
struct Position {
  std::shared_ptr<States> states;
  int32_t state = States::kDead;
  bool fresh = true;  // no token yet: a leading space is taken off
};

struct GrammarStats {
  int64_t masks = 0;
  int64_t states = 0;
  int64_t bytes = 0;
};

// May be used by several threads at once.
class Grammar {
 public:
  Grammar(const int32_t* words, size_t count, std::shared_ptr<const Vocabulary> vocabulary);

  const Vocabulary& vocabulary() const { return *vocabulary_; }

  Position start();
  // Moves past a token that the mask allows; false, and dead, for another.
  bool accept(Position& at, int32_t token);
  bool accepts(const Position& at);  // the text may end here
  bool ends(const Position& at);     // and nothing may follow
  int32_t cost(const Position& at);  // tokens that are enough to complete it

  // The mask of a position if it is known already, or null.
  std::shared_ptr<const TokenMask> known_mask(const Position& at, int32_t budget);
  // `budget`: the tokens that may come after this one. Tokens that leave more to do are left out, unless there are no others
  // and the text may not end here either.
  std::shared_ptr<const TokenMask> mask(const Position& at, int32_t budget);

  GrammarStats stats();

 private:
  std::shared_ptr<TokenMask> find_mask(const Position& at, int32_t most);
  bool add_plain(const Position& at, int32_t most, TokenMask& mask);
  int32_t after_plain(States& states, int32_t state);
  static int32_t after_classes(States& states, int32_t state, const std::vector<int32_t>& classes);
  const PlainText& plain_text(States& states, int32_t state);
  void walk(const Position& at, const Trie& trie, int32_t most, TokenMask& mask);
  void walk_with(const Position& at, const Trie& trie, int32_t most, TokenMask& mask);
  void walk_without(const Position& at, const Trie& trie, int32_t most, TokenMask& mask);
  bool any_plain(States& states, int32_t state, int32_t most);
  void renew(Position& at);
  void keep(const Position& at, std::shared_ptr<const TokenMask> mask);

  std::mutex busy_;
  const std::shared_ptr<const Vocabulary> vocabulary_;
  const Rules rules_;
  std::vector<std::vector<int32_t>> plain_classes_;  // the plain characters as byte classes, once each
  std::shared_ptr<States> states_;
  std::vector<std::pair<std::weak_ptr<States>, int32_t>> kept_;  // states with masks, oldest first from kept_at_
  size_t kept_at_ = 0;
  int32_t longest_token_ = 0;  // in bytes
  std::vector<int32_t> path_;
  std::vector<bool> reached_;  // by state; all false between searches
  int64_t masks_ = 0;
};

}  // namespace kvasir::grammar
