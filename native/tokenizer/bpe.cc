#include "native/tokenizer/bpe.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "native/base/check.h"
#include "native/tokenizer/unicode.h"

namespace kvasir::tokenizer {

void Merges::reserve(size_t count) {
  if (const size_t slots = slots_for(count); slots > slots_.size()) grow(slots);
}

void Merges::add(const Merge& merge) {
  if (slots_for(used_ + 1) > slots_.size()) grow(slots_for(2 * used_ + 1));
  Merge& place = slots_[slot(merge.left, merge.right)];
  if (place.left < 0) ++used_;
  place = merge;
}

const Merges::Merge* Merges::find(int32_t left, int32_t right) const {
  if (slots_.empty()) return nullptr;
  const Merge& found = slots_[slot(left, right)];
  return found.left >= 0 ? &found : nullptr;
}

// Where the pair is, or the empty slot where it would go.
size_t Merges::slot(int32_t left, int32_t right) const {
  const uint64_t key = static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  size_t at = slot_of(static_cast<uint32_t>(key * 0x9e3779b97f4a7c15u >> 32), slots_.size());
  while (slots_[at].left >= 0 && (slots_[at].left != left || slots_[at].right != right))
    if (++at == slots_.size()) at = 0;
  return at;
}

void Merges::grow(size_t slots) {
  std::vector<Merge> old(slots);
  old.swap(slots_);
  for (const Merge& merge : old)
    if (merge.left >= 0) slots_[slot(merge.left, merge.right)] = merge;
}

void Bpe::prepare(BpeOptions options) {
  options_ = options;
  for (int byte = 0; byte < 256; ++byte) {
    const char raw = static_cast<char>(byte);
    constexpr char kHex[] = "0123456789ABCDEF";
    const char fallback[] = {'<', '0', 'x', kHex[byte >> 4], kHex[byte & 15], '>'};
    byte_ids_[byte] = options.byte_level ? vocab.find({&raw, 1}) : vocab.find({fallback, 6});
  }
  cache_ = AnonymousMemory(kCacheSlots * sizeof(Cached));
}

void Bpe::encode(std::string_view word, std::vector<int32_t>& ids) {
  if (!options_.cut_at_spaces) return encode_cached(word, ids);
  while (!word.empty()) {
    // The next cut: a ▁ that follows something else.
    size_t cut = 0;
    while (word.substr(cut, 3) == kSpaceMark) cut += 3;
    cut = std::min(word.find(kSpaceMark, cut), word.size());
    encode_cached(word.substr(0, cut), ids);
    word.remove_prefix(cut);
  }
}

void Bpe::encode_cached(std::string_view word, std::vector<int32_t>& ids) {
  if (word.empty()) return;
  if (word.size() > Cached::kMaxBytes) return encode_word(word, ids);
  const size_t slot = std::hash<std::string_view>()(word) % kCacheSlots;
  Cached& cached = reinterpret_cast<Cached*>(cache_.data())[slot];
  if (cached.bytes == word.size() && std::memcmp(cached.text, word.data(), word.size()) == 0) {
    ids.insert(ids.end(), cached.ids, cached.ids + cached.count);
    return;
  }
  const size_t before = ids.size();
  encode_word(word, ids);
  const size_t count = ids.size() - before;
  if (count > Cached::kMaxIds) return;
  cached.bytes = static_cast<uint8_t>(word.size());
  cached.count = static_cast<uint8_t>(count);
  std::copy(word.begin(), word.end(), cached.text);
  std::copy(ids.begin() + before, ids.end(), cached.ids);
}

void Bpe::encode_word(std::string_view word, std::vector<int32_t>& ids) {
  if (options_.ignore_merges) {
    if (const int32_t id = vocab.find(word); id >= 0) {
      ids.push_back(id);
      return;
    }
  }
  KV_CHECK(word.size() < (size_t{1} << 30), "KV_TOO_LONG", "a word of ", word.size(),
           " bytes: expected less than 1 GB");
  symbols_.clear();
  heap_.clear();
  split(word);
  for (size_t at = 0; at + 1 < symbols_.size(); ++at) push_candidate(static_cast<int32_t>(at));
  std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
  merge();
  if (symbols_.empty()) return;
  for (int32_t at = 0; at >= 0; at = symbols_[at].next) ids.push_back(symbols_[at].id);
}

// Fills symbols_ with what the merges start from.
void Bpe::split(std::string_view word) {
  if (options_.byte_level) {
    for (const char byte : word) push_symbol(byte_ids_[static_cast<uint8_t>(byte)]);
    return;
  }
  bool in_unknown = false;
  for (size_t at = 0; at < word.size();) {
    const std::string_view character = word.substr(at, decode(word.data() + at).bytes);
    at += character.size();
    if (const int32_t id = vocab.find(character); id >= 0) {
      push_symbol(id);
      in_unknown = false;
      continue;
    }
    const auto known = [this](char byte) { return byte_ids_[static_cast<uint8_t>(byte)] >= 0; };
    if (options_.byte_fallback && std::all_of(character.begin(), character.end(), known)) {
      for (const char byte : character) push_symbol(byte_ids_[static_cast<uint8_t>(byte)]);
      in_unknown = false;
      continue;
    }
    if (!in_unknown || !options_.fuse_unknown) push_symbol(options_.unknown);
    in_unknown = true;
  }
}

// A negative id is a character that the vocabulary cannot write at all; it is left out.
void Bpe::push_symbol(int32_t id) {
  if (id < 0) return;
  const int32_t at = static_cast<int32_t>(symbols_.size());
  symbols_.push_back({id, at - 1, -1});
  if (at > 0) symbols_[at - 1].next = at;
}

// Adds the pair that begins at `at` to the end of the heap, if it can be merged.
void Bpe::push_candidate(int32_t at) {
  const Symbol& left = symbols_[at];
  if (left.next < 0) return;
  const int32_t right = symbols_[left.next].id;
  if (const auto* found = merges.find(left.id, right))
    heap_.push_back({found->rank, at, left.id, right, found->joined});
}

void Bpe::merge() {
  while (!heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
    const Candidate best = heap_.back();
    heap_.pop_back();
    Symbol& left = symbols_[best.at];
    // A candidate is stale when either of its symbols was merged meanwhile; a symbol that was swallowed has id −1.
    if (left.id != best.left || left.next < 0 || symbols_[left.next].id != best.right) continue;
    Symbol& right = symbols_[left.next];
    left.id = best.joined;
    left.next = right.next;
    right.id = -1;
    if (left.next >= 0) symbols_[left.next].previous = best.at;
    for (const int32_t at : {left.previous, best.at}) {
      if (at < 0) continue;
      const size_t before = heap_.size();
      push_candidate(at);
      if (heap_.size() > before) std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
    }
  }
}

}  // namespace kvasir::tokenizer
