#include "base/hooks.h"

#if defined(TERRACE_HOOKS)

#include <csignal>

// Made by the linker for a section whose name is a C identifier; absent when nothing is in it.
extern "C" {
[[gnu::weak]] extern const terrace::base::hooks::Point* const __start_terrace_points[];
[[gnu::weak]] extern const terrace::base::hooks::Point* const __stop_terrace_points[];
}

namespace terrace::base::hooks {
namespace {

constinit Board own_board;
constinit std::atomic<Board*> current{&own_board};
constinit std::atomic<int32_t> crash_position{-1};
constinit std::atomic<uint64_t> crash_countdown{0};
constinit thread_local Interleaver* thread_interleaver = nullptr;

int32_t position(const Point* const* entry) {
  return static_cast<int32_t>(entry - __start_terrace_points);
}

}  // namespace

std::span<const Point* const> points() {
  return {__start_terrace_points, __stop_terrace_points};
}

int32_t position_of(Kind kind, std::string_view name) {
  for (const Point* const& entry : points()) {
    if (entry->kind == kind && entry->name == name) return position(&entry);
  }
  return -1;
}

void use_board(Board& board) {
  current.store(&board, std::memory_order_release);
}

Board& board() {
  return *current.load(std::memory_order_acquire);
}

void arm_crash(int32_t position, uint64_t nth) {
  crash_countdown.store(nth, std::memory_order_relaxed);
  crash_position.store(position, std::memory_order_release);
}

Interleaver* interleaver() {
  return thread_interleaver;
}

void set_interleaver(Interleaver* of_this_thread) {
  thread_interleaver = of_this_thread;
}

void reach(const Point* const* entry) {
  const int32_t at = position(entry);
  board().hits[static_cast<size_t>(at)].fetch_add(1, std::memory_order_relaxed);
  const Point& point = **entry;
  if (point.kind == Kind::kCrashPoint && crash_position.load(std::memory_order_acquire) == at &&
      crash_countdown.fetch_sub(1, std::memory_order_relaxed) == 1) {
    ::raise(SIGKILL);
  }
  if (point.kind == Kind::kSyncPoint && thread_interleaver != nullptr) thread_interleaver->reach(point.name);
}

bool is_planted(const Point* const* entry) {
  const int32_t at = position(entry);
  Board& shared = board();
  if (shared.mutant.load(std::memory_order_relaxed) != at) return false;
  shared.hits[static_cast<size_t>(at)].fetch_add(1, std::memory_order_relaxed);
  return true;
}

}  // namespace terrace::base::hooks

#endif
