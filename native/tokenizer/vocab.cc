#include "native/tokenizer/vocab.h"

#include <array>
#include <functional>

#include "native/base/check.h"
#include "native/tokenizer/unicode.h"

namespace kvasir::tokenizer {
namespace {

uint32_t hash_of(std::string_view text) {
  const uint64_t hash = std::hash<std::string_view>()(text);
  return static_cast<uint32_t>(hash ^ hash >> 32);
}

// The byte that each character below U+0144 stands for, −1 for the others. Printable bytes stand for themselves, the
// rest are numbered from U+0100.
constexpr std::array<int16_t, 0x144> make_alphabet() {
  std::array<int16_t, 0x144> bytes{};
  for (auto& byte : bytes) byte = -1;
  int next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    bytes[printable ? byte : next++] = static_cast<int16_t>(byte);
  }
  return bytes;
}

constexpr auto kAlphabet = make_alphabet();

}  // namespace

void Vocab::reserve(size_t count, size_t bytes) {
  entries_.reserve(count);
  bytes_.reserve(bytes);
  if (const size_t slots = slots_for(count); slots > slots_.size()) grow(slots);
}

void Vocab::set(int32_t id, std::string_view text, bool findable) {
  KV_CHECK(id >= 0 && id < kMaxVocab, "KV_FORMAT", "token id ", id, ": expected 0 to ", kMaxVocab - 1);
  KV_CHECK(bytes_.size() + text.size() <= UINT32_MAX, "KV_FORMAT", "the vocabulary holds more than 4 GB of text");
  if (static_cast<size_t>(id) >= entries_.size()) entries_.resize(id + 1);
  entries_[id] = {static_cast<uint32_t>(bytes_.size()), static_cast<uint32_t>(text.size())};
  bytes_.append(text);
  if (!findable || find(text) >= 0) return;
  if (slots_for(used_ + 1) > slots_.size()) grow(slots_for(2 * used_ + 1));
  insert(id);
}

int32_t Vocab::find(std::string_view text) const {
  if (slots_.empty()) return -1;
  const uint32_t hash = hash_of(text);
  for (size_t at = slot_of(hash, slots_.size());; at = at + 1 == slots_.size() ? 0 : at + 1) {
    const int32_t id = id_of(slots_[at]);
    if (id < 0) return -1;
    if (slots_[at] == slot_with(hash, id) && this->text(id) == text) return id;
  }
}

void Vocab::insert(int32_t id) {
  const uint32_t hash = hash_of(text(id));
  size_t at = slot_of(hash, slots_.size());
  while (slots_[at] != 0)
    if (++at == slots_.size()) at = 0;
  slots_[at] = slot_with(hash, id);
  ++used_;
}

void Vocab::grow(size_t slots) {
  std::vector<Slot> old(slots);
  old.swap(slots_);
  used_ = 0;
  for (const Slot slot : old)
    if (slot != 0) insert(id_of(slot));
}

bool bytes_of_alphabet(std::string_view token, std::string& bytes) {
  bytes.clear();
  for (size_t at = 0; at < token.size();) {
    const CodePoint point = decode(token.data() + at);
    if (point.code >= kAlphabet.size() || kAlphabet[point.code] < 0) return false;
    bytes.push_back(static_cast<char>(kAlphabet[point.code]));
    at += point.bytes;
  }
  return true;
}

int fallback_byte(std::string_view token) {
  if (token.size() != 6 || token.substr(0, 3) != "<0x" || token[5] != '>') return -1;
  int value = 0;
  for (const char c : token.substr(3, 2)) {
    if (c >= '0' && c <= '9')
      value = value * 16 + (c - '0');
    else if (c >= 'A' && c <= 'F')
      value = value * 16 + (c - 'A' + 10);
    else
      return -1;
  }
  return value;
}

}  // namespace kvasir::tokenizer
