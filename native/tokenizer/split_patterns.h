// The regular expressions that pre-tokenizers split text by, each matched by hand. There are few in use, and a matcher
// that knows its pattern is an order faster than a regular expression engine.
#pragma once

#include <cstddef>
#include <string_view>

namespace kvasir::tokenizer {

// The letters of DeepSeek's first tokenizers: scripts with upper and lower case, as of their Unicode version.
inline constexpr std::string_view kCasedLetters =
    "A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373"
    "\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-"
    "\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-"
    "\u1d77\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d"
    "\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-"
    "\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-"
    "\u212d\u212f-\u2134\u2139\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-"
    "\u2cee\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-"
    "\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a\U00010400-\U0001044f\U000104b0-\U000104d3\U000104d8-"
    "\U000104fb\U00010c80-\U00010cb2\U00010cc0-\U00010cf2\U000118a0-\U000118df\U0001e900-\U0001e943";
inline constexpr std::string_view kDeepseekPunctuation = "!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002";
inline constexpr std::string_view kDeepseekCjk = "\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff";
inline constexpr std::string_view kDeepseek3Cjk = "\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff";

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
size_t match_deepseek_cjk(const char* at, const char* end);
size_t match_coder_letters(const char* at, const char* end);
size_t match_coder_punctuation(const char* at, const char* end);

// [\p{P}\$\+<=>\^~\|]+ and [0-9][0-9][0-9]: llama.cpp's own, before and after GPT-2's
size_t match_default_punctuation(const char* at, const char* end);
size_t match_three_digits(const char* at, const char* end);

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
