// The grammar of one answer: holds the sampler to the tokens that may come. The mask of a token is found while the step
// that computes its logits runs.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "native/grammar/grammar.h"
#include "native/grammar/timings.h"

namespace kvasir::grammar {

// A thread beside the device's own; it starts with the first work. To wake it takes longer than most work and disturbs the
// threads that run: so once a step, when the tokens of all rows are known.
class Background {
 public:
  ~Background() { stop(); }
  void run(std::function<void()> work);  // after the next wake(), or before where it is awake
  void wake();
  void stop();
  Timings& timings() { return timings_; }
  const Timings& timings() const { return timings_; }

 private:
  void serve();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::thread thread_;
  Timings timings_;
};

class Matcher {
 public:
  // `budget`: tokens that the answer may have. `background` outlives the matcher; null: nothing is found ahead.
  Matcher(std::shared_ptr<Grammar> grammar, int32_t budget, Background* background);

  // The tokens that may come next; waits where they are still being found. May throw as Grammar does.
  const TokenMask& mask();
  // The answer may end here.
  bool accepts() const { return accepts_; }
  // Nothing may follow.
  bool ended() const { return ended_; }
  void accept(int32_t token);

 private:
  struct Search {
    std::mutex mutex;
    std::condition_variable found;
    bool taken = false;  // by whoever comes first, the background or the sampler
    bool done = false;
    std::shared_ptr<const TokenMask> mask;
    std::exception_ptr error;
  };
  // False where the other was first.
  static bool search(Grammar& grammar, const Position& at, int32_t budget, Search& search);
  void look_ahead();

  std::shared_ptr<Grammar> grammar_;
  Position at_;
  int32_t budget_;
  Background* background_;
  bool accepts_ = false;
  bool ended_ = false;
  std::shared_ptr<const TokenMask> mask_;
  std::shared_ptr<Search> search_;
  std::chrono::nanoseconds waited_{0};  // for the mask of this token
};

}  // namespace kvasir::grammar
