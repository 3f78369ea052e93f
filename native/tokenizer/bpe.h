// Byte-pair encoding (arXiv 1508.07909): of all neighbouring pairs in a word, the one whose merge has the lowest rank
// becomes one token, the leftmost first, until no pair can be merged.
//
// One implementation serves both families. Byte-level models (GPT-2) start from bytes. SentencePiece models start from
// characters; their merges are ranked by the score of the result, and a character that the vocabulary lacks falls back
// to its bytes (<0xE2>…) or to the unknown token.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "native/base/anonymous_memory.h"
#include "native/tokenizer/vocab.h"

namespace kvasir::tokenizer {

// (left, right) → (rank, joined). Of a pair that is added twice the last counts.
class Merges {
 public:
  struct Merge {
    int32_t left = -1;
    int32_t right = -1;
    uint32_t rank = 0;
    int32_t joined = -1;
  };

  void reserve(size_t count);
  void add(const Merge& merge);
  const Merge* find(int32_t left, int32_t right) const;

 private:
  size_t slot(int32_t left, int32_t right) const;
  void grow(size_t slots);

  std::vector<Merge> slots_;  // open addressing, at most three quarters full
  size_t used_ = 0;
};

struct BpeOptions {
  bool byte_level = false;
  bool byte_fallback = false;
  bool fuse_unknown = false;
  bool ignore_merges = false;  // a word that is a token is that token, whatever the merges say
  bool cut_at_spaces = false;  // no merge joins "x▁": text may be cut before ▁, and the pieces are cached as words
  int32_t unknown = -1;
};

class Bpe {
 public:
  // Finds the tokens of single bytes and whether words can be cut. After the vocabulary and the merges are complete.
  void prepare(BpeOptions options);

  // Appends the ids of `word`, valid UTF-8. Not from two threads at once: the cache and the buffers are shared.
  void encode(std::string_view word, std::vector<int32_t>& ids);

  Vocab vocab;
  Merges merges;

 private:
  struct Symbol {
    int32_t id;
    int32_t previous;
    int32_t next;
  };
  struct Candidate {
    uint32_t rank;
    int32_t at;  // of the left symbol
    int32_t left, right, joined;
    bool operator>(const Candidate& other) const { return rank != other.rank ? rank > other.rank : at > other.at; }
  };
  // A word and its ids in one cache line. A word owns the slot that its hash points to until another takes it.
  struct alignas(64) Cached {
    static constexpr size_t kMaxBytes = 22, kMaxIds = 10;
    uint8_t bytes;  // 0: free
    uint8_t count;
    char text[kMaxBytes];
    int32_t ids[kMaxIds];
  };
  static constexpr size_t kCacheSlots = size_t{1} << 13;

  void encode_cached(std::string_view word, std::vector<int32_t>& ids);
  void encode_word(std::string_view word, std::vector<int32_t>& ids);
  void split(std::string_view word);
  void push_symbol(int32_t id);
  void push_candidate(int32_t at);
  void merge();

  BpeOptions options_;
  int32_t byte_ids_[256];
  std::vector<Symbol> symbols_;
  std::vector<Candidate> heap_;
  AnonymousMemory cache_;  // kCacheSlots × Cached, touched as words come
};

// "▁", the space of SentencePiece.
constexpr std::string_view kSpaceMark = "\xe2\x96\x81";

}  // namespace kvasir::tokenizer
