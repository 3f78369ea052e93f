// A tokenizer from tokenizer.json, the format of Hugging Face tokenizers.
#include "native/base/check.h"
#include "native/tokenizer/json.h"
#include "native/tokenizer/json_components.h"
#include "native/tokenizer/tokenizer.h"

namespace kvasir::tokenizer {
namespace {

int32_t read_id(const Json& json) {
  const int64_t id = json.integer();
  KV_CHECK(id >= 0 && id < kMaxVocab, "KV_FORMAT", "tokenizer.json: token id ", id, ": expected 0 to ", kMaxVocab - 1);
  return static_cast<int32_t>(id);
}

void read_vocab(const Json& vocab, Tokenizer& tokenizer) {
  size_t count = 0, size = 0;
  vocab.members([&](std::string_view token, const Json&) {
    ++count;
    size += token.size();
  });
  tokenizer.bpe.vocab.reserve(count, size);
  std::string bytes;
  vocab.members([&](std::string_view token, const Json& id) {
    const bool mapped = tokenizer.byte_level && bytes_of_alphabet(token, bytes);
    // A token outside the byte alphabet can never come out of a merge.
    tokenizer.bpe.vocab.set(read_id(id), mapped ? std::string_view(bytes) : token, mapped || !tokenizer.byte_level);
  });
}

// A token of a merge as the vocabulary holds it.
int32_t find_token(const Tokenizer& tokenizer, std::string_view token, std::string& bytes) {
  bytes = token;
  if (tokenizer.byte_level && !bytes_of_alphabet(token, bytes)) return -1;
  return tokenizer.bpe.vocab.find(bytes);
}

// Returns true when some merge joins "x" and "▁y", so that text may not be cut before ▁.
bool read_merges(const Json& merges, Tokenizer& tokenizer) {
  Bpe& bpe = tokenizer.bpe;
  uint32_t rank = 0;
  merges.each([&](const Json&) { ++rank; });
  bpe.merges.reserve(rank);
  rank = 0;
  bool crossing = false;
  std::string scratch, scratch2, left, right;
  const auto add = [&](std::string_view first, std::string_view second) {
    const int32_t left_id = find_token(tokenizer, first, left);
    const int32_t right_id = find_token(tokenizer, second, right);
    const bool crosses =
        second.substr(0, kSpaceMark.size()) == kSpaceMark &&
        (first.size() < kSpaceMark.size() || first.substr(first.size() - kSpaceMark.size()) != kSpaceMark);
    crossing = crossing || crosses;
    const int32_t joined = left_id >= 0 && right_id >= 0 ? bpe.vocab.find(left += right) : -1;
    KV_CHECK(joined >= 0, "KV_FORMAT", "tokenizer.json: merge ", rank, " of \"", first, "\" and \"", second,
             "\": a part of it or its result is not in the vocabulary");
    bpe.merges.add({left_id, right_id, rank++, joined});
  };
  merges.each([&](const Json& merge) {
    if (merge.is_string()) {
      const std::string_view pair = merge.string(scratch);
      const size_t space = pair.find(' ');
      KV_CHECK(space != std::string_view::npos && pair.find(' ', space + 1) == std::string_view::npos, "KV_FORMAT",
               "tokenizer.json: merge ", rank, " \"", pair, "\": expected two tokens and a space");
      add(pair.substr(0, space), pair.substr(space + 1));
      return;
    }
    std::string_view parts[2];
    int count = 0;
    merge.each([&](const Json& part) {
      if (count < 2) parts[count] = part.string(count == 0 ? scratch : scratch2);
      ++count;
    });
    KV_CHECK(count == 2, "KV_FORMAT", "tokenizer.json: merge ", rank, " has ", count, " parts: expected 2");
    add(parts[0], parts[1]);
  });
  return crossing;
}

void refuse(const JsonMembers& model, const char* option) {
  const Json value = model[option];
  const bool unset = value.is_null() || (value.is_string() && value.string().empty());
  KV_CHECK(unset, "KV_UNSUPPORTED", "tokenizer.json: model option ", option, " is not supported");
}

void read_model(const JsonMembers& model, Tokenizer& tokenizer) {
  const std::string type = model["type"].is_null() ? "BPE" : model["type"].string();
  KV_CHECK(type == "BPE", "KV_UNSUPPORTED", "tokenizer.json: model ", type, " is not supported; supported is BPE");
  for (const char* option : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"}) refuse(model, option);
  read_vocab(model["vocab"], tokenizer);
  KV_CHECK(tokenizer.bpe.vocab.size() > 0, "KV_FORMAT", "tokenizer.json: the vocabulary is empty");
  const bool crossing = read_merges(model["merges"], tokenizer);
  std::string bytes;
  const Json unknown = model["unk_token"];
  tokenizer.bpe.prepare({
      .byte_level = tokenizer.byte_level,
      .byte_fallback = model["byte_fallback"].boolean_or(false),
      .fuse_unknown = model["fuse_unk"].boolean_or(false),
      .ignore_merges = model["ignore_merges"].boolean_or(false),
      .cut_at_spaces = !tokenizer.byte_level && !crossing && tokenizer.bpe.vocab.find(kSpaceMark) >= 0,
      .unknown = unknown.is_null() ? -1 : find_token(tokenizer, unknown.string(), bytes),
  });
}

void read_added_tokens(const Json& list, Tokenizer& tokenizer) {
  if (list.is_null()) return;
  list.each([&](const Json& json) {
    AddedToken token{.id = read_id(json["id"]), .content = json["content"].string()};
    token.special = json["special"].boolean_or(false);
    token.normalized = json["normalized"].boolean_or(!token.special);
    token.single_word = json["single_word"].boolean_or(false);
    token.lstrip = json["lstrip"].boolean_or(false);
    token.rstrip = json["rstrip"].boolean_or(false);
    tokenizer.add(token);
  });
}

}  // namespace

std::shared_ptr<Tokenizer> load_json(std::string_view file, const Settings& settings) {
  const JsonMembers json(Json::parse(file));
  auto tokenizer = std::make_shared<Tokenizer>();
  tokenizer->pre_tokenizer.steps = read_pre_tokenizer(json["pre_tokenizer"], tokenizer->byte_level);
  tokenizer->normalizer.steps = read_normalizer(json["normalizer"]);
  tokenizer->decoder = read_decoder(json["decoder"]);
  read_model(JsonMembers(json["model"]), *tokenizer);
  read_added_tokens(json["added_tokens"], *tokenizer);
  Ends ends = read_post_processor(json["post_processor"]);
  tokenizer->prefix = std::move(ends.prefix);
  tokenizer->suffix = std::move(ends.suffix);
  tokenizer->set_ends(settings);
  return tokenizer;
}

}  // namespace kvasir::tokenizer
