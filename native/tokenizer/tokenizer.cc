#include "native/tokenizer/tokenizer.h"

#include <algorithm>

namespace kvasir::tokenizer {

namespace {

// `text` without its marks, and where they stood.
std::string without_marks(std::string_view text, std::string_view mark, std::vector<size_t>& places) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0;;) {
    const size_t next = text.find(mark, at);
    out.append(text.substr(at, next - at));
    if (next == text.npos) return out;
    places.push_back(out.size());
    at = next + mark.size();
  }
}

}  // namespace

std::vector<int32_t> Tokenizer::encode(std::string_view text, bool add_special, bool parse_special,
                                       std::string_view mark) {
  std::vector<size_t> barred;
  std::string unmarked;
  if (!mark.empty()) text = unmarked = without_marks(text, mark, barred);
  std::lock_guard lock(busy_);
  std::vector<int32_t> ids;
  ids.reserve(text.size() / 4 + 8);
  if (add_special) ids = prefix;
  bool first = true;
  const auto token = [&](int32_t id) {
    ids.push_back(id);
    first = false;
  };
  const PreTokenizer::Emit word = [&](std::string_view piece) { bpe.encode(piece, ids); };
  const auto words = [&](std::string_view stretch) {
    pre_tokenizer.run(stretch, first, word);
    first = false;
  };
  std::string buffer;
  raw_.split(
      text, parse_special, barred,
      [&](std::string_view stretch) {
        const std::string_view normal = normalizer.run(stretch, buffer);
        // Normalising moves the places, so a stretch with a barred one in it has no such control tokens at all.
        const size_t begin = stretch.data() - text.data();
        const auto bar = std::lower_bound(barred.begin(), barred.end(), begin);
        const bool free = bar == barred.end() || *bar >= begin + stretch.size();
        normalised_.split(normal, parse_special && free, {}, words, token);
      },
      token);
  if (add_special) ids.insert(ids.end(), suffix.begin(), suffix.end());
  return ids;
}

std::string Tokenizer::decode(const int32_t* ids, size_t count, bool special, bool continued) const {
  std::string out;
  for (size_t i = 0; i < count; ++i)
    if (special || !is_special(ids[i])) decoder.append(bpe.vocab.text(ids[i]), out);
  if (!continued) decoder.strip_start(out);
  return out;
}

int32_t Tokenizer::id_of(std::string_view token) const {
  if (const int32_t id = added_by_content_.find(token); id >= 0) return id;
  std::string bytes;
  if (!byte_level) return bpe.vocab.find(token);
  return bytes_of_alphabet(token, bytes) ? bpe.vocab.find(bytes) : -1;
}

std::vector<std::string> Tokenizer::control_texts() const {
  std::vector<std::string> texts;
  for (const AddedTokens* tokens : {&raw_, &normalised_})
    tokens->each([&](const AddedToken& token) {
      if (token.special) texts.push_back(token.content);
    });
  return texts;
}

void Tokenizer::add(const AddedToken& token) {
  // In a byte-level vocabulary an added token is written as it is, not in the alphabet.
  if (bpe.vocab.text(token.id) != token.content) bpe.vocab.set(token.id, token.content, false);
  added_by_content_.set(token.id, token.content, true);
  if (special_.size() <= static_cast<size_t>(token.id)) special_.resize(token.id + 1);
  special_[token.id] = token.special;
  std::string buffer;
  if (token.normalized)
    normalised_.add(token, normalizer.run(token.content, buffer));
  else
    raw_.add(token, token.content);
}

void Tokenizer::set_ends(const Settings& settings) {
  bos = settings.bos >= 0 ? settings.bos : prefix.empty() ? -1 : prefix.front();
  eos = settings.eos >= 0 ? settings.eos : suffix.empty() ? -1 : suffix.back();
  const auto choose = [](std::vector<int32_t>& ids, int32_t id, Settings::Choice choice, bool front) {
    const auto found = std::find(ids.begin(), ids.end(), id);
    if (choice == Settings::Choice::yes && id >= 0 && found == ids.end())
      ids.insert(front ? ids.begin() : ids.end(), id);
    if (choice == Settings::Choice::no && found != ids.end()) ids.erase(found);
  };
  choose(prefix, bos, settings.add_bos, true);
  choose(suffix, eos, settings.add_eos, false);
}

}  // namespace kvasir::tokenizer
