// Explains what concurrent clients saw (as CacheLib's ValueHistory does): each operation is known by when it
// began and when it had ended, so for every hit there is a set of writers that could legally be returned.
// A write takes effect at some time between its begin and its end, and so does a removal. Writers of one key
// are interchangeable (K5): a later one does not take away the right to see an earlier one. What does is a
// removal that was acknowledged (D1). A hit is explained by its writer when
//
//   the write began before the hit ended, and
//   no removal began after the write's end and ended before the hit's begin.
//
// Times are those of one counter that all clients share; no two are equal. Not thread-safe: clients keep
// their own records, and whoever checks adds them up.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lab/kit/oracle.h"

namespace terrace::lab {

using Moment = uint64_t;
inline constexpr Moment kNeverEnded = UINT64_MAX;

struct Span {
  Moment begin = 0;
  Moment end = kNeverEnded;
};

struct Sighting {
  uint32_t key = 0;
  Writer writer = 0;  // 0: it was there, whoever wrote it
  Span when;
};

class HistoryChecker {
 public:
  explicit HistoryChecker(uint32_t keys) : keys_(keys) {}

  // What a client did. A write that was refused or aborted is no write; a removal counts when it was
  // acknowledged.
  void wrote(uint32_t key, Writer writer, Span when);
  void removed(uint32_t key, Span when);

  // What a client saw: in words why that is not possible, or nothing. All that was done has to be known by
  // then.
  std::optional<std::string> contradiction(const Sighting& sighting);

 private:
  struct Write {
    Writer writer;
    Span when;
  };
  struct KeyHistory {
    std::vector<Write> writes;  // by writer
    std::vector<Span> removals;
    // Derived, when `sorted`:
    std::vector<Moment> ended_before;   // of removals from this one on, by begin: the earliest end
    std::vector<Moment> write_begins;   // ascending
    std::vector<Moment> latest_ending;  // of the writes that began so far
    bool sorted = true;
  };

  static void sort(KeyHistory& history);
  // A removal that began after `end` and ended before `begin`.
  static bool removed_between(const KeyHistory& history, Moment end, Moment begin);

  std::vector<KeyHistory> keys_;
};

}  // namespace terrace::lab
