// compute-sanitizer comes with CUDA's toolkit: it is used where it is found, and never asked for.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "bench/gpu/card.h"
#include "native/base/check.h"

namespace kvasir::gpu_bench {
namespace {

std::string find_program() {
  std::string path = std::getenv("PATH") ? std::getenv("PATH") : "";
  path += ":/usr/local/cuda/bin";
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find(':', begin), path.size());
    const std::string file = path.substr(begin, end - begin) + "/compute-sanitizer";
    if (access(file.c_str(), X_OK) == 0) return file;
    begin = end + 1;
  }
  return "";
}

}  // namespace

std::vector<std::string> sanitize(const char* program) {
  std::vector<std::string> lines;
  const std::string sanitizer = find_program();
  if (sanitizer.empty()) return lines;
  for (const char* tool : {"memcheck", "racecheck", "synccheck", "initcheck"}) {
    const std::string command = text("timeout 45 '", sanitizer, "' --tool ", tool,
                                     " --error-exitcode 99 --print-limit 20 '", program, "' --small >&2");
    const int status = std::system(command.c_str());
    const int code = status < 0 || !WIFEXITED(status) ? -1 : WEXITSTATUS(status);
    lines.push_back(text(tool, ": ",
                         code == 0     ? "nothing found"
                         : code == 124 ? "not over after 45 s"
                         : code == 99  ? "found something, above"
                                       : text("ended with ", code)));
  }
  return lines;
}

}  // namespace kvasir::gpu_bench
