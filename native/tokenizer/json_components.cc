#include "native/tokenizer/json_components.h"

#include <algorithm>

#include "native/tokenizer/bpe.h"

namespace kvasir::tokenizer {
namespace {

[[noreturn]] void unsupported(const char* part, const std::string& what) {
  throw Error("KV_UNSUPPORTED", text("tokenizer.json: ", part, " ", what, " is not supported"));
}

// visit(type, component) for a component, or for each one of a Sequence of them, whose list is called `list`.
template <typename Visit>
void each_component(const Json& json, const char* list, Visit visit) {
  if (json.is_null()) return;
  const std::string type = json["type"].string();
  if (type == "Sequence")
    json[list].each([&](const Json& part) { each_component(part, list, visit); });
  else
    visit(type, json);
}

std::string literal_of(const Json& pattern, const char* part) {
  if (pattern["String"].is_null()) unsupported(part, "with the pattern " + pattern["Regex"].string());
  const std::string literal = pattern["String"].string();
  KV_CHECK(!literal.empty(), "KV_FORMAT", "tokenizer.json: ", part, " has an empty pattern");
  return literal;
}

Behaviour behaviour_of(const Json& json) {
  const std::string name = json.is_null() ? "Isolated" : json.string();
  if (name == "Removed") return Behaviour::removed;
  if (name == "Isolated") return Behaviour::isolated;
  if (name == "MergedWithPrevious") return Behaviour::merged_with_previous;
  if (name == "MergedWithNext") return Behaviour::merged_with_next;
  if (name == "Contiguous") return Behaviour::contiguous;
  unsupported("pre_tokenizer", "behavior " + name);
}

PreTokenizerStep read_split(const Json& json) {
  PreTokenizerStep step;
  step.behaviour = behaviour_of(json["behavior"]);
  step.invert = json["invert"].boolean_or(false);
  const Json regex = json["pattern"]["Regex"];
  if (!regex.is_null() && regex.string() == "\\s+$" && step.behaviour == Behaviour::isolated && !step.invert) {
    step.kind = PreTokenizerStep::Kind::trailing_space;
  } else if (regex.is_null()) {
    step.literal = literal_of(json["pattern"], "pre_tokenizer Split");
  } else {
    step.match = matcher_of(regex.string());
    if (!step.match) unsupported("pre_tokenizer", "Split by the regular expression " + regex.string());
  }
  return step;
}

bool splits_lines(const std::vector<PreTokenizerStep>& steps) {
  return std::any_of(steps.begin(), steps.end(), [](const PreTokenizerStep& step) {
    return step.match == match_newline && step.behaviour == Behaviour::isolated;
  });
}

PreTokenizerStep::Prefix read_prefix(const Json& json) {
  const Json scheme = json["prepend_scheme"];
  if (scheme.is_null())  // older files
    return json["add_prefix_space"].boolean_or(true) ? PreTokenizerStep::Prefix::always
                                                     : PreTokenizerStep::Prefix::never;
  const std::string name = scheme.string();
  if (name == "always") return PreTokenizerStep::Prefix::always;
  if (name == "first") return PreTokenizerStep::Prefix::first;
  if (name == "never") return PreTokenizerStep::Prefix::never;
  unsupported("Metaspace", "prepend_scheme " + name);
}

void require_space_mark(const Json& json) {
  const Json mark = json["replacement"];
  if (!mark.is_null() && mark.string() != kSpaceMark) unsupported("Metaspace", "with the replacement " + mark.string());
}

// What the decoder steps before and after Fuse do differs: before, each token; after, the whole text.
struct DecoderReader {
  Decoder decoder;
  bool fused = false;

  void read(const std::string& type, const Json& json) {
    if (type == "ByteLevel") {
      // The vocabulary holds bytes already.
    } else if (type == "Metaspace") {
      require_space_mark(json);
      decoder.replacements.emplace_back(kSpaceMark, " ");
      if (read_prefix(json) != PreTokenizerStep::Prefix::never) strip(" ", 1);
    } else if (type == "Replace" && !fused) {
      decoder.replacements.emplace_back(literal_of(json["pattern"], "decoder Replace"), json["content"].string());
    } else if (type == "ByteFallback" && !fused) {
      decoder.byte_fallback = true;
    } else if (type == "Fuse") {
      fused = true;
    } else if (type == "Strip" && fused && json["stop"].integer() == 0) {
      strip(json["content"].string(), json["start"].integer());
    } else {
      unsupported("decoder", fused ? type + " after Fuse" : type);
    }
  }

  void strip(const std::string& content, int64_t times) {
    // One, for a stream takes it off its first token.
    KV_CHECK(times >= 0 && times <= 1, "KV_UNSUPPORTED", "tokenizer.json: decoder Strip of ", times,
             " characters at the start is not supported, at most 1 is");
    decoder.strip = content;
    decoder.strip_times = static_cast<int>(times);
  }
};

}  // namespace

std::vector<NormalizerStep> read_normalizer(const Json& json) {
  using Kind = NormalizerStep::Kind;
  std::vector<NormalizerStep> steps;
  each_component(json, "normalizers", [&](const std::string& type, const Json& part) {
    if (type == "NFC")
      steps.push_back({.kind = Kind::nfc});
    else if (type == "Lowercase")
      steps.push_back({.kind = Kind::lowercase});
    else if (type == "Prepend")
      steps.push_back({.kind = Kind::prepend, .to = part["prepend"].string()});
    else if (type == "Strip")
      steps.push_back({.kind = Kind::strip,
                       .left = part["strip_left"].boolean_or(true),
                       .right = part["strip_right"].boolean_or(true)});
    else if (type == "Replace")
      steps.push_back({.kind = Kind::replace,
                       .from = literal_of(part["pattern"], "normalizer Replace"),
                       .to = part["content"].string()});
    else
      unsupported("normalizer", type);
  });
  return steps;
}

std::vector<PreTokenizerStep> read_pre_tokenizer(const Json& json, bool& byte_level) {
  using Kind = PreTokenizerStep::Kind;
  std::vector<PreTokenizerStep> steps;
  each_component(json, "pretokenizers", [&](const std::string& type, const Json& part) {
    if (byte_level) unsupported("pre_tokenizer", type + " after ByteLevel");
    if (type == "ByteLevel") {
      if (part["add_prefix_space"].boolean_or(true)) steps.push_back({.kind = Kind::prefix_space});
      if (part["use_regex"].boolean_or(true)) steps.push_back({.match = match_gpt2});
      byte_level = true;
    } else if (type == "Split") {
      steps.push_back(read_split(part));
      // $ is the end of a line; trailing_space knows only the end of the text.
      if (steps.back().kind == Kind::trailing_space && !splits_lines(steps))
        unsupported("pre_tokenizer", "Split by \\s+$ where lines are not split first");
    } else if (type == "Digits") {
      steps.push_back({.match = part["individual_digits"].boolean_or(false) ? match_number : match_numbers});
    } else if (type == "Whitespace") {
      steps.push_back({.match = match_word, .behaviour = Behaviour::removed, .invert = true});
    } else if (type == "WhitespaceSplit") {
      steps.push_back({.match = match_spaces, .behaviour = Behaviour::removed});
    } else if (type == "Punctuation") {
      steps.push_back({.match = match_punctuation, .behaviour = behaviour_of(part["behavior"])});
    } else if (type == "Metaspace") {
      require_space_mark(part);
      steps.push_back(
          {.kind = Kind::metaspace, .prefix = read_prefix(part), .split_words = part["split"].boolean_or(true)});
    } else {
      unsupported("pre_tokenizer", type);
    }
  });
  return steps;
}

Decoder read_decoder(const Json& json) {
  DecoderReader reader;
  each_component(json, "decoders", [&](const std::string& type, const Json& part) { reader.read(type, part); });
  return reader.decoder;
}

Ends read_post_processor(const Json& json) {
  Ends ends;
  each_component(json, "processors", [&](const std::string& type, const Json& part) {
    if (type == "ByteLevel") return;  // moves offsets only
    if (type != "TemplateProcessing") unsupported("post_processor", type);
    bool after = false;
    part["single"].each([&](const Json& piece) {
      const Json special = piece["SpecialToken"];
      if (special.is_null()) {
        KV_CHECK(piece["Sequence"]["id"].string() == "A" && !after, "KV_FORMAT",
                 "tokenizer.json: post_processor: expected one sequence, A, in the template of a single text");
        after = true;
        return;
      }
      const Json token = part["special_tokens"][special["id"].string()];
      token["ids"].each([&](const Json& id) {
        const int64_t value = id.integer();
        KV_CHECK(value >= 0 && value < kMaxVocab, "KV_FORMAT", "tokenizer.json: post_processor: token id ", value);
        (after ? ends.suffix : ends.prefix).push_back(static_cast<int32_t>(value));
      });
    });
  });
  return ends;
}

}  // namespace kvasir::tokenizer
