#include "lab/kit/hook_board.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <new>

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/hooks.h"

namespace terrace::lab {

#if defined(TERRACE_HOOKS)

namespace hooks = base::hooks;

namespace {

constexpr const char* kVariable = "TERRACE_LAB_BOARD";  // the descriptor that a child inherits

int inherited_descriptor() {
  const char* text = std::getenv(kVariable);
  int number = -1;
  if (text != nullptr) std::from_chars(text, text + std::strlen(text), number);
  return number;
}

std::unexpected<Failure> failed(const char* what) {
  return failure(Code::kIo, fmt::format("{}: {}", what, std::strerror(errno)), errno);
}

std::vector<PointHits> hits_of_kind(hooks::Kind kind) {
  std::vector<PointHits> all;
  const auto points = hooks::points();
  for (size_t i = 0; i < points.size(); i++) {
    if (points[i]->kind == kind) all.push_back({points[i]->name, hooks::board().hits[i]});
  }
  std::ranges::sort(all, {}, &PointHits::name);
  return all;
}

}  // namespace

Outcome<void> share_hook_board() {
  const int inherited = inherited_descriptor();
  const int descriptor = inherited >= 0 ? inherited : ::memfd_create("terrace-lab-board", 0);
  if (descriptor < 0) return failed("memfd_create");
  if (inherited < 0 && ::ftruncate(descriptor, sizeof(hooks::Board)) != 0) return failed("ftruncate");
  void* memory = ::mmap(nullptr, sizeof(hooks::Board), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (memory == MAP_FAILED) return failed("mmap");
  if (inherited < 0) {
    new (memory) hooks::Board;
    ::setenv(kVariable, std::to_string(descriptor).c_str(), 1);
  }
  hooks::use_board(*static_cast<hooks::Board*>(memory));
  return {};
}

void leave_hook_board() {
  ::unsetenv(kVariable);
}

bool has_hooks() {
  return true;
}

Outcome<void> plant(const std::string& mutant) {
  const int32_t position = hooks::position_of(hooks::Kind::kMutant, mutant);
  if (position < 0) {
    return failure(Code::kInvalidArgument, fmt::format("no mutant '{}'", mutant));
  }
  hooks::board().mutant = position;
  return {};
}

std::string_view planted() {
  const int32_t position = hooks::board().mutant;
  return position < 0 ? std::string_view() : hooks::points()[static_cast<size_t>(position)]->name;
}

std::vector<PointHits> probes() {
  return hits_of_kind(hooks::Kind::kProbe);
}

std::vector<PointHits> crash_points() {
  return hits_of_kind(hooks::Kind::kCrashPoint);
}

std::vector<PointHits> mutants() {
  return hits_of_kind(hooks::Kind::kMutant);
}

uint64_t hits_of(std::string_view name) {
  const auto points = hooks::points();
  for (size_t i = 0; i < points.size(); i++) {
    if (points[i]->name == name) return hooks::board().hits[i];
  }
  return 0;
}

#else

Outcome<void> share_hook_board() {
  return {};
}

void leave_hook_board() {}

bool has_hooks() {
  return false;
}

std::string_view planted() {
  return {};
}

Outcome<void> plant(const std::string& mutant) {
  return failure(Code::kInvalidArgument, fmt::format("mutant '{}': this build has no hooks", mutant));
}

std::vector<PointHits> probes() {
  return {};
}

std::vector<PointHits> crash_points() {
  return {};
}

std::vector<PointHits> mutants() {
  return {};
}

uint64_t hits_of(std::string_view) {
  return 0;
}

#endif

}  // namespace terrace::lab
