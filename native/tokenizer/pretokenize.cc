#include "native/tokenizer/pretokenize.h"

#include <utility>

#include "native/base/check.h"
#include "native/tokenizer/bpe.h"
#include "native/tokenizer/scan.h"
#include "native/tokenizer/unicode.h"

namespace kvasir::tokenizer {
namespace {

using Kind = PreTokenizerStep::Kind;

struct Piece {
  std::string_view text;
  bool match;
};

size_t match_at(const PreTokenizerStep& step, const char* at, const char* end) {
  if (step.match) return step.match(at, end);
  const size_t size = step.literal.size();
  return size > 0 && std::string_view(at, end - at).substr(0, size) == step.literal ? size : 0;
}

// visit(Piece) for each match and for each stretch between matches.
template <typename Visit>
void find_pieces(const PreTokenizerStep& step, std::string_view text, Visit visit) {
  const char* const end = text.data() + text.size();
  const char* gap = text.data();
  for (const char* at = gap; at < end;) {
    const size_t size = match_at(step, at, end);
    if (size == 0) {
      at += decode(at).bytes;
      continue;
    }
    if (at > gap) visit(Piece{{gap, static_cast<size_t>(at - gap)}, step.invert});
    visit(Piece{{at, size}, !step.invert});
    gap = at += size;
  }
  if (end > gap) visit(Piece{{gap, static_cast<size_t>(end - gap)}, step.invert});
}

std::string_view joined(std::string_view a, std::string_view b) { return {a.data(), a.size() + b.size()}; }

// The pieces with each match joined to a neighbour as the behaviour asks.
std::vector<Piece> merge_pieces(const PreTokenizerStep& step, std::string_view text) {
  std::vector<Piece> pieces;
  bool open = false;  // merged_with_next: the last piece is a match that waits for its neighbour
  find_pieces(step, text, [&](Piece piece) {
    const bool extend =
        !pieces.empty() && (step.behaviour == Behaviour::contiguous             ? pieces.back().match == piece.match
                            : step.behaviour == Behaviour::merged_with_previous ? piece.match && !pieces.back().match
                                                                                : open && !piece.match);
    if (extend) {
      pieces.back().text = joined(pieces.back().text, piece.text);
      if (step.behaviour == Behaviour::merged_with_previous) pieces.back().match = true;
    } else {
      pieces.push_back(piece);
    }
    open = piece.match;
  });
  return pieces;
}

// " a b" → "▁a▁b"
std::string metaspace(const PreTokenizerStep& step, std::string_view text, bool first) {
  std::string out;
  out.reserve(text.size() * 2);
  const bool wanted =
      step.prefix == PreTokenizerStep::Prefix::always || (step.prefix == PreTokenizerStep::Prefix::first && first);
  const bool has_one = text.substr(0, 1) == " " || text.substr(0, 3) == kSpaceMark;
  if (wanted && !has_one) out.append(kSpaceMark);
  for (const char c : text) {
    if (c == ' ')
      out.append(kSpaceMark);
    else
      out.push_back(c);
  }
  return out;
}

}  // namespace

void PreTokenizer::apply(size_t index, std::string_view text, bool first, const Emit& emit) const {
  if (text.empty()) return;
  if (index == steps.size()) return emit(text);
  const PreTokenizerStep& step = steps[index];
  if (step.kind == Kind::prefix_space) {
    if (text[0] == ' ') return apply(index + 1, text, first, emit);
    const std::string spaced = " " + std::string(text);
    return apply(index + 1, spaced, first, emit);
  }
  if (step.kind == Kind::trailing_space) {
    const char* const end = text.data() + text.size();
    const char* tail = end;
    while (tail > text.data() && has(previous(tail), end, kSpace)) tail = previous(tail);
    const size_t rest = tail - text.data();
    apply(index + 1, text.substr(0, rest), first, emit);
    return apply(index + 1, text.substr(rest), first && rest == 0, emit);
  }
  if (step.kind == Kind::metaspace) {
    const std::string marked = metaspace(step, text, first);
    if (!step.split_words) return apply(index + 1, marked, first, emit);
    PreTokenizerStep before;
    before.literal = kSpaceMark;
    before.behaviour = Behaviour::merged_with_next;
    for (const Piece& piece : merge_pieces(before, marked)) apply(index + 1, piece.text, first, emit);
    return;
  }
  if (step.behaviour == Behaviour::removed || step.behaviour == Behaviour::isolated) {
    bool lead = first;
    find_pieces(step, text, [&](Piece piece) {
      if (!piece.match || step.behaviour == Behaviour::isolated) apply(index + 1, piece.text, lead, emit);
      lead = false;
    });
    return;
  }
  bool lead = first;
  for (const Piece& piece : merge_pieces(step, text)) {
    apply(index + 1, piece.text, lead, emit);
    lead = false;
  }
}

std::vector<PreTokenizerStep> pre_tokenizer_steps(std::string_view name) {
  using Matchers = std::vector<Matcher>;  // null: trailing_space
  static const std::pair<std::vector<std::string_view>, Matchers> known[] = {
      // What llama.cpp falls back to where a file says "default" or nothing.
      {{"default", ""}, {match_default_punctuation, match_gpt2, match_numbers, match_three_digits}},
      {{"gpt-2", "gpt2", "phi-2", "mpt", "olmo", "jais", "trillion", "granite-docling"}, {match_gpt2}},
      {{"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"}, {match_number, match_gpt2}},
      {{"llama-bpe", "llama3", "llama-v3", "dbrx", "smaug-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"},
       {match_llama3}},
      {{"qwen2", "stablelm2", "deepseek-r1-qwen", "hunyuan", "megrez"}, {match_qwen2}},
      {{"qwen35"}, {match_qwen35}},
      {{"gpt-4o", "llama4"}, {match_gpt4o}},
      {{"tekken"}, {match_tekken}},
      {{"deepseek-v3", "deepseek-r1", "hunyuan-dense"}, {match_number3, match_deepseek3_cjk, match_deepseek3}},
      {{"deepseek-llm"},
       {match_newline, match_deepseek_letters, match_deepseek_punctuation, nullptr, match_deepseek_cjk, match_number}},
      {{"deepseek-coder"},
       {match_newline, match_coder_letters, match_coder_punctuation, match_deepseek_cjk, match_number}},
  };
  std::string names;
  for (const auto& [aliases, matchers] : known) {
    for (const auto alias : aliases) {
      if (alias == name) {
        std::vector<PreTokenizerStep> steps;
        for (const Matcher matcher : matchers)
          steps.push_back({.kind = matcher ? Kind::split : Kind::trailing_space, .match = matcher});
        return steps;
      }
      if (alias.empty()) continue;
      names += names.empty() ? "" : ", ";
      names += alias;
    }
  }
  throw Error("KV_UNSUPPORTED", text("pre-tokenizer \"", name, "\" of this GGUF is not known; known are ", names,
                                     ". Use the checkpoint's tokenizer.json instead"));
}

}  // namespace kvasir::tokenizer
