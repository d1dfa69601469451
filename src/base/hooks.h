// Where the lab reaches into the product. Nothing of it is in a build without TERRACE_HOOKS (a CMake option
// that only the presets for tests set): the macros are empty there, or false.
//
//   TERRACE_PROBE(name);             a rare line: counted, so that the lab can say which were never reached
//   TERRACE_CRASH_POINT(name);       here the lab may kill the process with SIGKILL
//   if (TERRACE_MUTANT(name)) ...    a planted bug: false unless the lab chose this one
//   TERRACE_SYNC_POINT(name);        here a thread under the lab's scheduler may have to wait for another
//
// A name is a string literal, `layer.what_happens`, used once. Not in templates nor inline functions: each
// point is one static object.
#pragma once

#if defined(TERRACE_HOOKS)

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>

namespace terrace::base::hooks {

enum class Kind : uint8_t { kProbe, kCrashPoint, kMutant, kSyncPoint };

struct Point {
  const char* name;
  Kind kind;
};

inline constexpr size_t kPointsMax = 1024;

// What processes of one lab run have in common; in memory they share, or a process's own.
struct Board {
  std::array<std::atomic<uint64_t>, kPointsMax> hits{};  // by position in points()
  std::atomic<int32_t> mutant{-1};                       // the position of the one that is planted
};

// All points of the program, in an order that is the program's. Any thread.
std::span<const Point* const> points();
// The position of a point, -1 when there is none of this kind and name.
int32_t position_of(Kind kind, std::string_view name);
// Counts hits and reads the mutant there from now on; before threads start. The board outlives its use.
void use_board(Board& board);
Board& board();

// The process is killed when the crash point at `position` is reached for the `nth` time, 1 the first; never
// again with -1.
void arm_crash(int32_t position, uint64_t nth);

// Decides when a thread goes on. Threads that have none run freely.
class Interleaver {
 public:
  virtual ~Interleaver() = default;
  virtual void reach(const char* where) = 0;    // another thread may go first
  virtual void wait_for(const void* what) = 0;  // until `what` was given free
  // As wait_for; false: nothing else can happen before time passes.
  virtual bool wait_for_a_while(const void* what) = 0;
  virtual void give_free(const void* what) noexcept = 0;
  // A thread that one of them starts is one of them: expect_thread() by the starter, enter() and leave() by
  // the new thread, first and last, with the number that the starter was given.
  virtual uint32_t expect_thread() = 0;
  virtual void enter(uint32_t thread) = 0;
  virtual void leave() noexcept = 0;
  virtual void await_end(uint32_t thread) = 0;
};
Interleaver* interleaver();
void set_interleaver(Interleaver* of_this_thread);

void reach(const Point* const* entry);
bool is_planted(const Point* const* entry);

}  // namespace terrace::base::hooks

// The section holds pointers, so that their distance is the same with every compiler.
#define TERRACE_HOOK_POINT(name, kind)                                                                    \
  static constexpr ::terrace::base::hooks::Point terrace_point{name, ::terrace::base::hooks::Kind::kind}; \
  [[gnu::section("terrace_points"),                                                                       \
    gnu::used]] static const ::terrace::base::hooks::Point* const terrace_entry = &terrace_point

#define TERRACE_HOOK_REACH(name, kind)             \
  do {                                             \
    TERRACE_HOOK_POINT(name, kind);                \
    ::terrace::base::hooks::reach(&terrace_entry); \
  } while (false)

#define TERRACE_PROBE(name) TERRACE_HOOK_REACH(name, kProbe)
#define TERRACE_CRASH_POINT(name) TERRACE_HOOK_REACH(name, kCrashPoint)
#define TERRACE_SYNC_POINT(name) TERRACE_HOOK_REACH(name, kSyncPoint)
#define TERRACE_MUTANT(name)                                   \
  ([] {                                                        \
    TERRACE_HOOK_POINT(name, kMutant);                         \
    return ::terrace::base::hooks::is_planted(&terrace_entry); \
  }())

#else

#define TERRACE_PROBE(name) static_cast<void>(0)
#define TERRACE_CRASH_POINT(name) static_cast<void>(0)
#define TERRACE_SYNC_POINT(name) static_cast<void>(0)
#define TERRACE_MUTANT(name) false

#endif
