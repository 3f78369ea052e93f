// The regular expressions that pre-tokenizers split text by, each matched by hand. There are few in use, and a matcher
// that knows its pattern is an order faster than a regular expression engine.
#pragma once

#include <cstddef>
#include <string_view>

namespace kvasir::tokenizer {

// The letters of DeepSeek's first tokenizers: scripts with upper and lower case, as of their Unicode version.
inline constexpr std::string_view kCasedLetters =
    "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-"
    "ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼ"
    "ℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-"
    "𐳲𑢠-𑣟𞤀-𞥃";
inline constexpr std::string_view kDeepseekPunctuation = "!-/:-~！-／：-～‘-‟　-。";
inline constexpr std::string_view kDeepseekCjk = "一-龥ࠀ-一가-퟿";
inline constexpr std::string_view kDeepseek3Cjk = "一-龥぀-ゟ゠-ヿ";

// Bytes of the match that begins exactly at `at`, 0 when there is none. `end` is the end of the text for lookaheads.
using Matcher = size_t (*)(const char* at, const char* end);

// GPT-2; StarCoder and SmolLM apply it after splitting digits.
size_t match_gpt2(const char* at, const char* end);
// Llama 3, GPT-4: numbers in groups of three.
size_t match_llama3(const char* at, const char* end);
// Qwen 2 and 3: as Llama 3, digit by digit.
size_t match_qwen2(const char* at, const char* end);
// Qwen 3.5: marks count as letters.
size_t match_qwen35(const char* at, const char* end);
// GPT-4o: words break where a lower-case letter meets an upper-case one.
size_t match_gpt4o(const char* at, const char* end);
// Mistral's Tekken: as GPT-4o without contractions, digit by digit.
size_t match_tekken(const char* at, const char* end);
// DeepSeek V3: words, after splitting numbers and CJK.
size_t match_deepseek3(const char* at, const char* end);
// DeepSeek V3: Chinese and Japanese.
size_t match_deepseek3_cjk(const char* at, const char* end);
// DeepSeek LLM and Coder, applied one after the other.
size_t match_newline(const char* at, const char* end);
size_t match_deepseek_letters(const char* at, const char* end);
size_t match_deepseek_punctuation(const char* at, const char* end);
size_t match_trailing_space(const char* at, const char* end);
size_t match_deepseek_cjk(const char* at, const char* end);
size_t match_coder_letters(const char* at, const char* end);
size_t match_coder_punctuation(const char* at, const char* end);

// \p{N}+, \p{N}, \p{N}{1,3}
size_t match_numbers(const char* at, const char* end);
size_t match_number(const char* at, const char* end);
size_t match_number3(const char* at, const char* end);
// \s+, \w+|[^\w\s]+ and one punctuation mark
size_t match_spaces(const char* at, const char* end);
size_t match_word(const char* at, const char* end);
size_t match_punctuation(const char* at, const char* end);

// The matcher of a pattern as checkpoints write it, or null.
Matcher matcher_of(std::string_view pattern);

}  // namespace kvasir::tokenizer
