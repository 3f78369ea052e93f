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

// Hash tables of any size: how many slots keep `count` entries three quarters full, and where a hash begins.
constexpr size_t slots_for(size_t count) { return count + count / 3 + 64; }
constexpr size_t slot_of(uint32_t hash, size_t slots) { return static_cast<size_t>(uint64_t{hash} * slots >> 32); }

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
  // An id + 1 in the low bits, 0 for none, and some bits of the hash above it, so that few texts are compared in vain.
  using Slot = uint32_t;
  static constexpr int kIdBits = 23;
  static_assert(kMaxVocab < 1 << kIdBits);
  static Slot slot_with(uint32_t hash, int32_t id) { return hash << kIdBits | static_cast<Slot>(id + 1); }
  static int32_t id_of(Slot slot) { return static_cast<int32_t>(slot & ((1u << kIdBits) - 1)) - 1; }

  void insert(int32_t id);
  void grow(size_t slots);

  std::string bytes_;
  std::vector<Entry> entries_;  // by id
  std::vector<Slot> slots_;     // open addressing, at most three quarters full
  size_t used_ = 0;
};

// Reads a token of a byte-level vocabulary: true and its bytes, or false when it holds a character outside the
// alphabet.
bool bytes_of_alphabet(std::string_view token, std::string& bytes);

// The byte of "<0x41>", or −1.
int fallback_byte(std::string_view token);

}  // namespace kvasir::tokenizer
