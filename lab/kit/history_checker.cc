#include "lab/kit/history_checker.h"

#include <algorithm>

#include <fmt/format.h>

namespace terrace::lab {
namespace {

std::string text(Span when) {
  return when.end == kNeverEnded ? fmt::format("[{}, not ended]", when.begin)
                                 : fmt::format("[{}, {}]", when.begin, when.end);
}

}  // namespace

void HistoryChecker::wrote(uint32_t key, Writer writer, Span when) {
  keys_[key].writes.push_back({writer, when});
  keys_[key].sorted = false;
}

void HistoryChecker::removed(uint32_t key, Span when) {
  keys_[key].removals.push_back(when);
  keys_[key].sorted = false;
}

void HistoryChecker::sort(KeyHistory& history) {
  if (history.sorted) return;
  history.sorted = true;
  std::ranges::sort(history.removals, {}, &Span::begin);
  history.ended_before.assign(history.removals.size(), kNeverEnded);
  Moment earliest = kNeverEnded;
  for (size_t i = history.removals.size(); i-- > 0;) {
    earliest = std::min(earliest, history.removals[i].end);
    history.ended_before[i] = earliest;
  }
  std::ranges::sort(history.writes, {}, [](const Write& write) { return write.when.begin; });
  history.write_begins.clear();
  history.latest_ending.clear();
  Moment latest = 0;
  for (const Write& write : history.writes) {
    latest = std::max(latest, write.when.end);
    history.write_begins.push_back(write.when.begin);
    history.latest_ending.push_back(latest);
  }
  std::ranges::sort(history.writes, {}, &Write::writer);
}

bool HistoryChecker::removed_between(const KeyHistory& history, Moment end, Moment begin) {
  const auto after = std::ranges::upper_bound(history.removals, end, {}, &Span::begin);
  const auto index = static_cast<size_t>(after - history.removals.begin());
  return index < history.ended_before.size() && history.ended_before[index] < begin;
}

std::optional<std::string> HistoryChecker::contradiction(const Sighting& seen) {
  KeyHistory& history = keys_[seen.key];
  sort(history);
  if (seen.writer == 0) {
    // Of the writes that began in time, the one that ended last explains most.
    const auto next = std::ranges::upper_bound(history.write_begins, seen.when.end);
    const auto count = static_cast<size_t>(next - history.write_begins.begin());
    if (count == 0) return fmt::format("key {}: seen at {}, written by nobody", seen.key, text(seen.when));
    if (!removed_between(history, history.latest_ending[count - 1], seen.when.begin)) return std::nullopt;
    return fmt::format("key {}: seen at {}, removed before and not written since", seen.key, text(seen.when));
  }
  const auto write = std::ranges::lower_bound(history.writes, seen.writer, {}, &Write::writer);
  const bool known = write != history.writes.end() && write->writer == seen.writer;
  if (known && write->when.begin < seen.when.end &&
      !removed_between(history, write->when.end, seen.when.begin)) {
    return std::nullopt;
  }
  const std::string what =
      fmt::format("key {}: writer {:#x} seen at {}", seen.key, seen.writer, text(seen.when));
  if (!known) return what + ", who never committed";
  if (write->when.begin > seen.when.end) return what + ", written only at " + text(write->when);
  const auto removal = std::ranges::find_if(history.removals, [&](const Span& span) {
    return span.begin > write->when.end && span.end < seen.when.begin;
  });
  return what + fmt::format(", written at {}, removed at {}", text(write->when), text(*removal));
}

}  // namespace terrace::lab
