// Text to ids and back, as the checkpoint's own tokenizer does it.
//
//   encode: added tokens are cut out, the rest is normalised, cut into words and merged
//   decode: the bytes of the tokens, joined
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "native/tokenizer/added_tokens.h"
#include "native/tokenizer/bpe.h"
#include "native/tokenizer/decode.h"
#include "native/tokenizer/normalize.h"
#include "native/tokenizer/pretokenize.h"

namespace kvasir::tokenizer {

// What the caller knows besides the file; −1 and "unset" leave it to the file.
struct Settings {
  enum class Choice { unset, no, yes };
  int32_t bos = -1;
  int32_t eos = -1;
  int32_t unknown = -1;
  Choice add_bos = Choice::unset;
  Choice add_eos = Choice::unset;
  Choice add_space_prefix = Choice::unset;
};

class Tokenizer {
 public:
  // Valid UTF-8 to ids. From any thread, one at a time. Where `mark` stands, it is taken away, and what follows is no
  // control token, whatever it looks like.
  std::vector<int32_t> encode(std::string_view text, bool add_special, bool parse_special, std::string_view mark = {});

  // The bytes of ids. An id that has no token, as in the padding of an embedding table, has no text. `continued`: the
  // ids follow others, so no space is taken off their start.
  std::string decode(const int32_t* ids, size_t count, bool special, bool continued) const;

  // The id of a token written exactly so, in the checkpoint's spelling, or −1.
  int32_t id_of(std::string_view token) const;
  // What control tokens look like in a text.
  std::vector<std::string> control_texts() const;
  bool is_special(int32_t id) const { return id >= 0 && static_cast<size_t>(id) < special_.size() && special_[id]; }

  // For the loaders: register added tokens after the vocabulary and the normaliser, then set BOS and EOS.
  void add(const AddedToken& token);
  void set_ends(const Settings& settings);

  Bpe bpe;
  bool byte_level = false;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  Decoder decoder;
  std::vector<int32_t> prefix;  // what addSpecial puts before a text
  std::vector<int32_t> suffix;
  int32_t bos = -1;
  int32_t eos = -1;

 private:
  AddedTokens raw_;         // looked for in the text as it is
  AddedTokens normalised_;  // looked for after normalising
  Vocab added_by_content_;
  std::vector<bool> special_;  // by id
  std::mutex busy_;            // the word cache is shared
};

// From a tokenizer.json. Throws KV_FORMAT, or KV_UNSUPPORTED naming the component.
std::shared_ptr<Tokenizer> load_json(std::string_view file, const Settings& settings);

// `count` strings of a GGUF: u64 length and bytes each, in `bytes`.
struct StringArray {
  std::string_view bytes;
  uint64_t count = 0;
};

struct GgufVocabulary {
  std::string model;
  std::string pre;
  StringArray tokens;
  StringArray merges;
  std::vector<float> scores;
  std::vector<int32_t> types;
};

std::shared_ptr<Tokenizer> load_gguf(const GgufVocabulary& vocabulary, const Settings& settings);

}  // namespace kvasir::tokenizer
