#include "native/grammar/rules.h"

#include <algorithm>
#include <deque>
#include <map>

#include "native/base/check.h"

namespace kvasir::grammar {
namespace {

class Reader {
 public:
  Reader(const int32_t* words, size_t count) : words_(words), count_(count) {}

  int32_t next(int64_t low, int64_t high, const char* what) {
    KV_CHECK(at_ < count_, "KV_NATIVE", "grammar: it ends after ", count_, " words, before ", what);
    const int32_t value = words_[at_++];
    KV_CHECK(value >= low && value <= high, "KV_NATIVE", "grammar: word ", at_ - 1, ", ", what, ", is ", value,
             ", expected ", low, " to ", high);
    return value;
  }
  int64_t left() const { return static_cast<int64_t>(count_ - at_); }

 private:
  const int32_t* words_;
  size_t count_;
  size_t at_ = 0;
};

char first_of(const ByteSet& set) {
  int byte = 0;
  while (!set[byte]) ++byte;
  return static_cast<char>(byte);
}

int32_t capped(int64_t cost) { return static_cast<int32_t>(std::min<int64_t>(cost, kNever)); }

}  // namespace

Rules::Rules(const int32_t* words, size_t count, const Vocabulary& vocabulary) {
  parse(words, count);
  for (ByteSet& set : sets_) set &= vocabulary.usable();
  find_literals(vocabulary);
  find_costs();
  KV_CHECK(cost_[root_] < kNever, "KV_UNSUPPORTED",
           "format: no text satisfies it, or none that the vocabulary of this model can write");
  drop_dead_alternatives();
  check_repeats();
  check_left_recursion();
  find_classes();
}

void Rules::parse(const int32_t* words, size_t count) {
  KV_CHECK(count <= kMaxWords, "KV_NATIVE", "grammar: ", count, " words, expected at most ", kMaxWords);
  Reader in(words, count);
  in.next(kMagic, kMagic, "the magic number");
  const int32_t sets = in.next(0, in.left() / 8, "the number of sets");
  const int32_t rules = in.next(1, in.left(), "the number of rules");
  root_ = in.next(0, rules - 1, "the root");
  for (int32_t s = 0; s < sets; ++s) {
    ByteSet set;
    for (int w = 0; w < 8; ++w) {
      const auto bits = static_cast<uint32_t>(in.next(INT32_MIN, INT32_MAX, "a set"));
      for (int b = 0; b < 32; ++b) set[w * 32 + b] = bits >> b & 1;
    }
    sets_.push_back(set);
  }
  alternatives_.resize(rules);
  for (int32_t r = 0; r < rules; ++r) {
    const int32_t options = in.next(0, in.left(), "the number of alternatives");
    for (int32_t a = 0; a < options; ++a) {
      alternatives_[r].push_back(static_cast<int32_t>(elements_.size()));
      const int32_t length = in.next(0, in.left(), "the number of elements");
      for (int32_t e = 0; e < length; ++e) {
        Element element;
        element.kind = static_cast<Element::Kind>(in.next(0, 2, "a kind"));
        const bool bytes = element.kind == Element::Kind::bytes;
        element.target = in.next(0, (bytes ? sets : rules) - 1, bytes ? "a set" : "a rule");
        if (element.kind == Element::Kind::repeat) {
          element.min = in.next(0, kNever - 1, "a minimum");
          element.max = in.next(-1, kNever - 1, "a maximum");
          KV_CHECK(element.max < 0 || element.max >= element.min, "KV_NATIVE", "grammar: a rule is repeated ",
                   element.min, " to ", element.max, " times");
        }
        elements_.push_back(element);
      }
      elements_.push_back({});
    }
  }
  KV_CHECK(in.left() == 0, "KV_NATIVE", "grammar: ", in.left(), " words too many");
}

int64_t Rules::element_cost(const Element& element) const {
  switch (element.kind) {
    case Element::Kind::bytes:
      return sets_[element.target].any() ? 1 : kNever;
    case Element::Kind::rule:
      return cost_[element.target];
    case Element::Kind::repeat:
      return int64_t{element.min} * cost_[element.target];
    case Element::Kind::end:
      break;
  }
  return 0;
}

// Runs of single bytes, and the tokens that cover a part of them.
void Rules::find_literals(const Vocabulary& vocabulary) {
  literal_.assign(elements_.size(), 0);
  std::string run;
  for (size_t at = 0; at < elements_.size(); ++at) {
    run.clear();
    for (size_t i = at; elements_[i].kind == Element::Kind::bytes && run.size() < 63; ++i) {
      const ByteSet& set = sets_[elements_[i].target];
      if (set.count() != 1) break;
      run.push_back(first_of(set));
    }
    if (run.size() > 1) literal_[at] = vocabulary.prefixes(run) >> 2;
  }
}

// Fills rest_ of an alternative from its end, and gives that of its first element.
int32_t Rules::find_rest(int32_t first) {
  int32_t end = first;
  while (elements_[end].kind != Element::Kind::end) ++end;
  for (int32_t at = end - 1; at >= first; --at) {
    int64_t best = element_cost(elements_[at]) + rest_[at + 1];
    for (uint64_t lengths = literal_[at]; lengths; lengths &= lengths - 1)
      best = std::min<int64_t>(best, 1 + rest_[at + 2 + __builtin_ctzll(lengths)]);
    rest_[at] = capped(best);
  }
  return rest_[first];
}

// The least solution: every rule begins as never, and whenever one becomes cheaper, those that use it are looked at
// again.
void Rules::find_costs() {
  const auto rules = static_cast<int32_t>(alternatives_.size());
  cost_.assign(rules, kNever);
  rest_.assign(elements_.size(), 0);
  std::vector<std::vector<int32_t>> users(rules);
  std::deque<int32_t> queue;
  std::vector<bool> queued(rules, true);
  for (int32_t r = 0; r < rules; ++r) {
    queue.push_back(r);
    for (const int32_t first : alternatives_[r])
      for (int32_t at = first; elements_[at].kind != Element::Kind::end; ++at)
        if (elements_[at].kind != Element::Kind::bytes) users[elements_[at].target].push_back(r);
  }
  while (!queue.empty()) {
    const int32_t r = queue.front();
    queue.pop_front();
    queued[r] = false;
    int32_t best = kNever;
    for (const int32_t first : alternatives_[r]) best = std::min(best, find_rest(first));
    if (best >= cost_[r]) continue;
    cost_[r] = best;
    for (const int32_t user : users[r])
      if (!queued[user]) {
        queued[user] = true;
        queue.push_back(user);
      }
  }
}

void Rules::drop_dead_alternatives() {
  for (auto& list : alternatives_) std::erase_if(list, [&](int32_t first) { return rest_[first] >= kNever; });
}

void Rules::check_repeats() const {
  for (const Element& element : elements_)
    KV_CHECK(element.kind != Element::Kind::repeat || cost_[element.target] > 0, "KV_NATIVE", "grammar: rule ",
             element.target, " is repeated, and may match nothing");
}

// Depth first along "begins with"; a rule met again while it is open begins with itself.
void Rules::check_left_recursion() const {
  enum : uint8_t { fresh, open, closed };
  const auto rules = static_cast<int32_t>(alternatives_.size());
  std::vector<std::vector<int32_t>> begins(rules);
  for (int32_t r = 0; r < rules; ++r)
    for (const int32_t first : alternatives_[r])
      for (int32_t at = first;; ++at) {
        const Element& element = elements_[at];
        if (element.kind == Element::Kind::bytes || element.kind == Element::Kind::end) break;
        begins[r].push_back(element.target);
        if (element_cost(element) > 0) break;
      }
  std::vector<uint8_t> state(rules, fresh);
  std::vector<std::pair<int32_t, size_t>> path;
  for (int32_t r = 0; r < rules; ++r) {
    if (state[r] != fresh) continue;
    path.push_back({r, 0});
    state[r] = open;
    while (!path.empty()) {
      auto& [rule, next] = path.back();
      if (next == begins[rule].size()) {
        state[rule] = closed;
        path.pop_back();
        continue;
      }
      const int32_t target = begins[rule][next++];
      KV_CHECK(state[target] != open, "KV_NATIVE", "grammar: rule ", target, " begins with itself");
      if (state[target] == fresh) {
        state[target] = open;
        path.push_back({target, 0});
      }
    }
  }
}

void Rules::find_classes() {
  std::vector<int32_t> of(256, 0);
  int32_t count = 1;
  for (const ByteSet& set : sets_) {
    std::map<std::pair<int32_t, bool>, int32_t> split;
    for (int b = 0; b < 256; ++b) split.emplace(std::pair{of[b], set[b]}, 0);
    if (static_cast<int32_t>(split.size()) == count) continue;
    int32_t next = 0;
    for (auto& [key, value] : split) value = next++;
    for (int b = 0; b < 256; ++b) of[b] = split[{of[b], set[b]}];
    count = next;
  }
  representative_.resize(count);
  for (int b = 255; b >= 0; --b) {
    class_[b] = static_cast<uint8_t>(of[b]);
    representative_[of[b]] = static_cast<uint8_t>(b);
  }
}

}  // namespace kvasir::grammar
