#include "native/tokenizer/unicode.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <vector>

namespace kvasir::tokenizer {
namespace {

struct Decomposition {
  uint32_t code;
  uint16_t first;  // in kDecomposed
  uint16_t count;
};

struct Composition {
  uint32_t first;
  uint32_t second;
  uint32_t code;
};

struct CaseMapping {
  uint32_t from;
  uint32_t to;
};

#include "unicode_tables.inc"

constexpr int kClassShift = 10;

// Hangul syllables are composed by arithmetic (The Unicode Standard, section 3.12).
constexpr uint32_t kSyllables = 0xac00, kInitials = 0x1100, kVowels = 0x1161, kFinals = 0x11a7;
constexpr uint32_t kInitialCount = 19, kVowelCount = 21, kFinalCount = 28;
constexpr uint32_t kSyllableCount = kInitialCount * kVowelCount * kFinalCount;

void decompose(uint32_t code, std::vector<uint32_t>& out) {
  if (const uint32_t syllable = code - kSyllables; syllable < kSyllableCount) {
    out.push_back(kInitials + syllable / (kVowelCount * kFinalCount));
    out.push_back(kVowels + syllable / kFinalCount % kVowelCount);
    if (syllable % kFinalCount) out.push_back(kFinals + syllable % kFinalCount);
    return;
  }
  const auto* found = std::lower_bound(std::begin(kDecompositions), std::end(kDecompositions), code,
                                       [](const Decomposition& entry, uint32_t value) { return entry.code < value; });
  if (found == std::end(kDecompositions) || found->code != code) {
    out.push_back(code);
    return;
  }
  out.insert(out.end(), kDecomposed + found->first, kDecomposed + found->first + found->count);
}

// The character that `first` and `second` make together, or 0.
uint32_t composed(uint32_t first, uint32_t second) {
  if (first - kInitials < kInitialCount && second - kVowels < kVowelCount)
    return kSyllables + ((first - kInitials) * kVowelCount + (second - kVowels)) * kFinalCount;
  if (first - kSyllables < kSyllableCount && (first - kSyllables) % kFinalCount == 0 && second > kFinals &&
      second - kFinals < kFinalCount)
    return first + (second - kFinals);
  const auto* found = std::lower_bound(std::begin(kCompositions), std::end(kCompositions),
                                       Composition{first, second, 0}, [](const Composition& a, const Composition& b) {
                                         return a.first != b.first ? a.first < b.first : a.second < b.second;
                                       });
  const bool match = found != std::end(kCompositions) && found->first == first && found->second == second;
  return match ? found->code : 0;
}

void sort_marks(std::vector<uint32_t>& codes) {
  for (size_t begin = 0; begin < codes.size(); ++begin) {
    if (combining_rank(codes[begin]) == 0) continue;
    size_t end = begin;
    while (end < codes.size() && combining_rank(codes[end]) != 0) ++end;
    std::stable_sort(codes.begin() + begin, codes.begin() + end,
                     [](uint32_t a, uint32_t b) { return combining_rank(a) < combining_rank(b); });
    begin = end;
  }
}

// Joins each mark to the last starter unless a mark between them blocks it (UAX #15, D115 to D117).
void join(std::vector<uint32_t>& codes) {
  size_t size = 0;
  size_t starter = SIZE_MAX;
  int last = 0;  // combining rank of what was kept last since the starter
  for (const uint32_t code : codes) {
    const int rank = combining_rank(code);
    const bool adjacent = starter != SIZE_MAX && starter + 1 == size;
    if (starter != SIZE_MAX && (adjacent || (last != 0 && last < rank))) {
      if (const uint32_t joined = composed(codes[starter], code)) {
        codes[starter] = joined;
        continue;
      }
    }
    if (rank == 0) starter = size;
    last = rank;
    codes[size++] = code;
  }
  codes.resize(size);
}

// Bytes of the valid character at the front of `text`, or 0.
size_t character(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  const size_t size = first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : 4;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  for (size_t i = 1; i < size; ++i)
    if (!is_continuation(text[i])) return 0;
  const uint8_t second = byte(1);
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f)) return 0;
  if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) return 0;
  return size;
}

}  // namespace

uint16_t flags_of(uint32_t code) { return kFlags[kPages[code >> 8] * 256 + (code & 0xff)]; }

int combining_rank(uint32_t code) { return flags_of(code) >> kClassShift; }

uint32_t lowercase(uint32_t code) {
  if (code < 0x80) return code >= 'A' && code <= 'Z' ? code + 32 : code;
  const auto* found = std::lower_bound(std::begin(kLowercase), std::end(kLowercase), code,
                                       [](const CaseMapping& entry, uint32_t value) { return entry.from < value; });
  return found != std::end(kLowercase) && found->from == code ? found->to : code;
}

void append_utf8(std::string& out, uint32_t code) {
  const auto put = [&out](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

size_t valid_utf8(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    uint64_t eight = 0;
    if (text.size() - at >= sizeof eight) {
      std::memcpy(&eight, text.data() + at, sizeof eight);
      if (!(eight & 0x8080808080808080u)) {
        at += sizeof eight;
        continue;
      }
    }
    const size_t size = character(text.substr(at));
    if (size == 0) break;
    at += size;
  }
  return at;
}

std::string repair_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t valid = valid_utf8(text);
    out.append(text.substr(0, valid));
    text.remove_prefix(valid);
    if (text.empty()) break;
    out.append("\xef\xbf\xbd");
    const bool surrogate = text.size() >= 3 && text[0] == '\xed' && static_cast<uint8_t>(text[1]) >= 0xa0 &&
                           is_continuation(text[1]) && is_continuation(text[2]);
    text.remove_prefix(surrogate ? 3 : 1);
  }
  return out;
}

bool compose(std::string_view text, std::string& out) {
  // Below U+0300 nothing changes, so a text without bytes from 0xCC up is done; other texts ask each character.
  bool stable = true;
  for (size_t at = 0; at < text.size() && stable;) {
    if (static_cast<uint8_t>(text[at]) < 0xcc) {
      ++at;
      continue;
    }
    const CodePoint point = decode(text.data() + at);
    stable = !(flags_of(point.code) & kUnstable);
    at += point.bytes;
  }
  if (stable) return false;

  std::vector<uint32_t> codes;
  codes.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = decode(text.data() + at);
    decompose(point.code, codes);
    at += point.bytes;
  }
  sort_marks(codes);
  join(codes);
  out.clear();
  out.reserve(text.size());
  for (const uint32_t code : codes) append_utf8(out, code);
  return true;
}

}  // namespace kvasir::tokenizer
