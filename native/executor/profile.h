// Where the time of the steps goes: for each instruction of a program, what the threads spent in it and what they
// then waited for one another. Only a bench asks for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace kvasir {

class Profile {
 public:
  struct Cell {
    double busy_ns = 0;
    double waited_ns = 0;
  };

  // A cell for each word of the program's code; the first word of an instruction has its times.
  Profile(int threads, size_t words) : threads_(threads) {
    for (Thread& thread : threads_) thread.cells.resize(words);
  }

  void begin(int thread) { threads_[thread].at = now(); }
  void computed(int thread, size_t word) { threads_[thread].cells[word].busy_ns += lap(thread); }
  void met(int thread, size_t word) { threads_[thread].cells[word].waited_ns += lap(thread); }

  const std::vector<Cell>& cells(int thread) const { return threads_[thread].cells; }

 private:
  struct alignas(64) Thread {
    int64_t at = 0;
    std::vector<Cell> cells;
  };

  static int64_t now() { return std::chrono::steady_clock::now().time_since_epoch().count(); }
  double lap(int thread) {
    const int64_t before = threads_[thread].at;
    return static_cast<double>((threads_[thread].at = now()) - before);
  }

  std::vector<Thread> threads_;
};

}  // namespace kvasir
