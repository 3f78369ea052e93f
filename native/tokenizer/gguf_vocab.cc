// A tokenizer from the metadata of a GGUF: string tables in the mapped file, scores and types beside them.
#include <algorithm>
#include <cstring>

#include "native/base/check.h"
#include "native/tokenizer/tokenizer.h"
#include "native/tokenizer/unicode.h"

namespace kvasir::tokenizer {
namespace {

// tokenizer.ggml.token_type
enum TokenType : int32_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };

// A count that the bytes cannot hold is refused before room is made for it.
void check_count(const StringArray& table, const char* name) {
  KV_CHECK(table.count <= table.bytes.size() / sizeof(uint64_t), "KV_FORMAT", name, ": ", table.count,
           " strings do not fit ", table.bytes.size(), " bytes");
}

// visit(index, text) for each string of a table.
template <typename Visit>
void each_string(const StringArray& table, const char* name, Visit visit) {
  std::string_view rest = table.bytes;
  for (uint64_t index = 0; index < table.count; ++index) {
    uint64_t size = 0;
    KV_CHECK(rest.size() >= sizeof size, "KV_FORMAT", name, ": the table ends at string ", index, " of ", table.count);
    std::memcpy(&size, rest.data(), sizeof size);
    rest.remove_prefix(sizeof size);
    KV_CHECK(size <= rest.size(), "KV_FORMAT", name, ": string ", index, " of ", size, " bytes does not fit the ",
             rest.size(), " bytes left");
    const std::string_view string = rest.substr(0, size);
    KV_CHECK(valid_utf8(string) == size, "KV_FORMAT", name, ": string ", index, " is not valid UTF-8");
    visit(index, string);
    rest.remove_prefix(size);
  }
}

int32_t type_of(const GgufVocabulary& gguf, size_t id) { return gguf.types.empty() ? kNormal : gguf.types[id]; }

std::string spaced(std::string_view token) {
  std::string out;
  Decoder{.replacements = {{std::string(kSpaceMark), " "}}}.append(token, out);
  return out;
}

void read_tokens(const GgufVocabulary& gguf, Tokenizer& tokenizer, std::vector<AddedToken>& added) {
  std::string bytes;
  tokenizer.bpe.vocab.reserve(gguf.tokens.count, gguf.tokens.bytes.size());
  each_string(gguf.tokens, "tokenizer.ggml.tokens", [&](uint64_t index, std::string_view token) {
    const int32_t id = static_cast<int32_t>(index);
    const int32_t type = type_of(gguf, index);
    KV_CHECK(type >= 0 && type <= kByte, "KV_FORMAT", "tokenizer.ggml.token_type: token ", id, " has type ", type,
             ": expected 1 to 6");
    const bool apart = type == kUnknown || type == kControl || type == kUserDefined;
    if (apart) {
      added.push_back({.id = id, .content = std::string(token), .special = type != kUserDefined});
      // SentencePiece looks for its own symbols after spaces became ▁; here they are looked for in the text itself.
      if (!tokenizer.byte_level && type == kUserDefined) added.back().content = spaced(token);
    }
    const bool mapped = tokenizer.byte_level && !apart && bytes_of_alphabet(token, bytes);
    const bool findable = type != kUnused && !apart && (mapped || !tokenizer.byte_level);
    tokenizer.bpe.vocab.set(id, mapped ? std::string_view(bytes) : token, findable);
  });
}

// Byte-level: the table of merges, "left right" in the alphabet, the first having rank 0.
void read_merges(const GgufVocabulary& gguf, Bpe& bpe) {
  bpe.merges.reserve(gguf.merges.count);
  std::string left, right;
  each_string(gguf.merges, "tokenizer.ggml.merges", [&](uint64_t index, std::string_view merge) {
    const size_t space = merge.find(' ', 1);
    KV_CHECK(space != std::string_view::npos, "KV_FORMAT", "tokenizer.ggml.merges: merge ", index, " \"", merge,
             "\": expected two tokens");
    const bool mapped =
        bytes_of_alphabet(merge.substr(0, space), left) && bytes_of_alphabet(merge.substr(space + 1), right);
    const int32_t left_id = mapped ? bpe.vocab.find(left) : -1;
    const int32_t right_id = mapped ? bpe.vocab.find(right) : -1;
    const int32_t joined = left_id >= 0 && right_id >= 0 ? bpe.vocab.find(left += right) : -1;
    KV_CHECK(joined >= 0, "KV_FORMAT", "tokenizer.ggml.merges: merge ", index, " \"", merge,
             "\": a part of it or its result is not in the vocabulary");
    bpe.merges.add({left_id, right_id, static_cast<uint32_t>(index), joined});
  });
}

// SentencePiece keeps no merges: two tokens join when their text is a token, and the one of highest score goes first.
// Returns true when some token holds a space mark after another character, so that text may not be cut there.
bool make_merges(const GgufVocabulary& gguf, Bpe& bpe) {
  std::vector<float> scores = gguf.scores;
  std::sort(scores.begin(), scores.end(), std::greater<>());
  scores.erase(std::unique(scores.begin(), scores.end()), scores.end());
  bpe.merges.reserve(gguf.tokens.count * 2);
  bool crossing = false;
  for (int32_t id = 0; id < bpe.vocab.size(); ++id) {
    if (type_of(gguf, id) != kNormal) continue;
    const std::string_view token = bpe.vocab.text(id);
    const auto rank =
        std::lower_bound(scores.begin(), scores.end(), gguf.scores[id], std::greater<>()) - scores.begin();
    for (size_t cut = 1; cut < token.size(); ++cut) {
      if (is_continuation(token[cut])) continue;
      const int32_t left = bpe.vocab.find(token.substr(0, cut));
      if (left < 0) continue;
      const int32_t right = bpe.vocab.find(token.substr(cut));
      if (right < 0) continue;
      bpe.merges.add({left, right, static_cast<uint32_t>(rank), id});
    }
    size_t lead = 0;
    while (token.substr(lead, kSpaceMark.size()) == kSpaceMark) lead += kSpaceMark.size();
    crossing = crossing || token.find(kSpaceMark, lead) != std::string_view::npos;
  }
  return crossing;
}

bool chosen(Settings::Choice choice, bool otherwise) {
  return choice == Settings::Choice::unset ? otherwise : choice == Settings::Choice::yes;
}

void load_byte_level(const GgufVocabulary& gguf, Tokenizer& tokenizer, Settings& settings) {
  tokenizer.pre_tokenizer.steps = pre_tokenizer_steps(gguf.pre);
  read_merges(gguf, tokenizer.bpe);
  // Llama 3's tokenizer takes a whole word that is a token before it looks at merges, and begins with BOS.
  const Matcher last = tokenizer.pre_tokenizer.steps.back().match;
  const bool llama3 = last == match_llama3;
  tokenizer.bpe.prepare({.byte_level = true, .ignore_merges = llama3 || last == match_tekken});
  settings.add_bos = chosen(settings.add_bos, llama3) ? Settings::Choice::yes : Settings::Choice::no;
  if (chosen(settings.add_space_prefix, false))
    tokenizer.pre_tokenizer.steps.insert(tokenizer.pre_tokenizer.steps.begin(),
                                         {.kind = PreTokenizerStep::Kind::prefix_space});
}

void load_sentencepiece(const GgufVocabulary& gguf, Tokenizer& tokenizer, Settings& settings) {
  KV_CHECK(gguf.scores.size() == gguf.tokens.count, "KV_FORMAT", "tokenizer.ggml.scores: ", gguf.scores.size(),
           " scores for ", gguf.tokens.count, " tokens");
  const bool finite = std::all_of(gguf.scores.begin(), gguf.scores.end(), [](float score) { return score == score; });
  KV_CHECK(finite, "KV_FORMAT", "tokenizer.ggml.scores: a score is not a number");
  const bool prefix = chosen(settings.add_space_prefix, true);
  using Step = NormalizerStep;
  if (prefix) tokenizer.normalizer.steps.push_back({.kind = Step::Kind::prepend, .to = std::string(kSpaceMark)});
  tokenizer.normalizer.steps.push_back({.kind = Step::Kind::replace, .from = " ", .to = std::string(kSpaceMark)});
  tokenizer.decoder.byte_fallback = true;
  tokenizer.decoder.replacements.emplace_back(kSpaceMark, " ");
  tokenizer.decoder.strip = " ";
  tokenizer.decoder.strip_times = prefix;
  const bool crossing = make_merges(gguf, tokenizer.bpe);
  tokenizer.bpe.prepare({.byte_fallback = true,
                         .fuse_unknown = true,
                         .cut_at_spaces = !crossing && tokenizer.bpe.vocab.find(kSpaceMark) >= 0,
                         .unknown = settings.unknown});
  settings.add_bos = chosen(settings.add_bos, true) ? Settings::Choice::yes : Settings::Choice::no;
}

}  // namespace

std::shared_ptr<Tokenizer> load_gguf(const GgufVocabulary& gguf, const Settings& given) {
  KV_CHECK(gguf.model == "gpt2" || gguf.model == "llama", "KV_UNSUPPORTED", "tokenizer model \"", gguf.model,
           "\" of this GGUF is not supported; supported are gpt2 and llama");
  check_count(gguf.tokens, "tokenizer.ggml.tokens");
  check_count(gguf.merges, "tokenizer.ggml.merges");
  KV_CHECK(gguf.tokens.count > 0 && gguf.tokens.count <= kMaxVocab, "KV_FORMAT",
           "tokenizer.ggml.tokens: ", gguf.tokens.count, " tokens: expected 1 to ", kMaxVocab);
  KV_CHECK(gguf.types.empty() || gguf.types.size() == gguf.tokens.count, "KV_FORMAT",
           "tokenizer.ggml.token_type: ", gguf.types.size(), " types for ", gguf.tokens.count, " tokens");
  const auto in_range = [&](int32_t id) { return id < static_cast<int64_t>(gguf.tokens.count); };
  KV_CHECK(in_range(given.bos) && in_range(given.eos) && in_range(given.unknown), "KV_FORMAT", "BOS ", given.bos,
           ", EOS ", given.eos, ", unknown ", given.unknown, ": expected ids below ", gguf.tokens.count);
  auto tokenizer = std::make_shared<Tokenizer>();
  tokenizer->byte_level = gguf.model == "gpt2";
  std::vector<AddedToken> added;
  read_tokens(gguf, *tokenizer, added);
  Settings settings = given;
  if (tokenizer->byte_level)
    load_byte_level(gguf, *tokenizer, settings);
  else
    load_sentencepiece(gguf, *tokenizer, settings);
  for (const AddedToken& token : added) tokenizer->add(token);
  tokenizer->set_ends(settings);
  return tokenizer;
}

}  // namespace kvasir::tokenizer
