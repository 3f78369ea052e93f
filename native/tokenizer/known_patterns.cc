// The regular expressions that are known, as checkpoints write them.
#include <string>
#include <utility>

#include "native/tokenizer/split_patterns.h"

namespace kvasir::tokenizer {
namespace {

// Some files write a line break in a class as itself, some as an escape.
std::string with_escapes(std::string_view pattern) {
  std::string out;
  for (const char c : pattern) {
    if (c == '\r')
      out += "\\r";
    else if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out;
}

}  // namespace

Matcher matcher_of(std::string_view pattern) {
  static const std::string cased = std::string("\\s?[") + std::string(kCasedLetters) + "]+";
  static const std::string punctuation = std::string("\\s?[") + std::string(kDeepseekPunctuation) + "]+";
  static const std::string cjk = std::string("[") + std::string(kDeepseekCjk) + "]+";
  static const std::string cjk3 = std::string("[") + std::string(kDeepseek3Cjk) + "]+";
#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define PREFIX "[^\\r\\n\\p{L}\\p{N}]?"
#define SPACES "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
  static const std::pair<std::string_view, Matcher> known[] = {
      {"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", match_gpt2},
      {"'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", match_gpt2},
      {CONTRACTIONS "|" PREFIX "\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" SPACES, match_llama3},
      {"'(?i:[sdmt]|ll|ve|re)|" PREFIX
       "+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
       match_llama3},
      {CONTRACTIONS "|" PREFIX "\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" SPACES, match_qwen2},
      {CONTRACTIONS "|" PREFIX "[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" SPACES, match_qwen35},
      {PREFIX UPPER "*" LOWER "+" CONTRACTIONS "?|" PREFIX UPPER "+" LOWER "*" CONTRACTIONS
                    "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" SPACES,
       match_gpt4o},
      {PREFIX UPPER "*" LOWER "+|" PREFIX UPPER "+" LOWER "*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" SPACES,
       match_tekken},
      {"[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| "
       "?[\\p{P}\\p{S}]+[\\r\\n]*|" SPACES,
       match_deepseek3},
      {cjk3, match_deepseek3_cjk},
      {cased, match_deepseek_letters},
      {punctuation, match_deepseek_punctuation},
      {cjk, match_deepseek_cjk},
      {"[\\r\\n]", match_newline},
      {"\\s?\\p{L}+", match_coder_letters},
      {"\\s?\\p{P}+", match_coder_punctuation},
      {"\\p{N}{1,3}", match_number3},
      {"\\p{N}", match_number},
      {"\\p{N}+", match_numbers},
      {"\\s+", match_spaces},
  };
#undef CONTRACTIONS
#undef UPPER
#undef LOWER
#undef PREFIX
#undef SPACES
  const std::string spelled = with_escapes(pattern);
  for (const auto& [text, matcher] : known)
    if (text == spelled) return matcher;
  return nullptr;
}

}  // namespace kvasir::tokenizer
