// The vocabulary: text of each id, and the id of a text.
//
// In a byte-level model the checkpoint writes each byte as a printable character (GPT-2's alphabet: "Ġ" is a space);
// here a token is the bytes themselves, so neither encoding nor decoding translates anything.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kvasir::tokenizer {

constexpr int32_t kMaxVocab = 1 << 22;

class Vocab {
 public:
  // Makes room for ids below `count`.
  void reserve(size_t count, size_t bytes);

  // Sets the text of an id. With `findable`, find(text) gives the id; the first id of a text wins.
  void set(int32_t id, std::string_view text, bool findable);

  // The id of a text, or −1.
  int32_t find(std::string_view text) const;

  // Nothing for an id that has no token.
  std::string_view text(int32_t id) const {
    if (id < 0 || id >= size()) return {};
    return std::string_view(bytes_).substr(entries_[id].offset, entries_[id].length);
  }

  int32_t size() const { return static_cast<int32_t>(entries_.size()); }

 private:
  struct Entry {
    uint32_t offset = 0;
    uint32_t length = 0;
  };
  struct Slot {
    uint32_t hash = 0;
    int32_t id = -1;
  };

  void insert(uint32_t hash, int32_t id);
  void grow(size_t slots);

  std::string bytes_;
  std::vector<Entry> entries_;  // by id
  std::vector<Slot> slots_;     // open addressing; a power of two, at most half full
  size_t used_ = 0;
};

// Reads a token of a byte-level vocabulary: true and its bytes, or false when it holds a character outside the
// alphabet.
bool bytes_of_alphabet(std::string_view token, std::string& bytes);

// The byte of "<0x41>", or −1.
int fallback_byte(std::string_view token);

}  // namespace kvasir::tokenizer
