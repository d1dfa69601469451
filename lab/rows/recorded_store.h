// A small store that goes through a few steps while everything it does to its disk is recorded, and what
// a power cut at any moment of it must leave.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lab/kit/client.h"
#include "lab/kit/machine.h"
#include "lab/kit/recorder.h"

namespace terrace::lab {

enum class Step : uint8_t { kPut, kRemove, kClear, kSync, kReplace, kEvict, kWait, kRestart };
inline constexpr uint64_t kSteps = 8;
std::string_view to_string(Step step);

// What a disk that lost its power has to answer for one block.
struct Owed {
  Writer begun = 0;  // writers up to it may be found
  Writer gone = 0;   // up to it they must not be
  bool must_be_found = false;
  bool operator==(const Owed&) const = default;
};

class RecordedStore {
 public:
  // `settled`: each step's writes end before the next.
  RecordedStore(uint64_t seed, const std::vector<Step>& steps, bool settled);

  static MachineOptions machine_options(uint64_t seed);
  static CatalogOptions catalog_options(uint64_t seed);
  static std::string directory() { return "/store"; }

  const Catalog& catalog() const { return catalog_; }
  const Recording& recording() const { return recording_; }
  // Where the last step begins and ends, in events.
  size_t last_step() const { return last_step_; }
  size_t end() const { return looks_.back().position; }
  // By block, when the power goes after the first `position` events.
  std::vector<Owed> owed_at(size_t position) const;
  // Of the recorded run itself.
  Findings& findings() { return findings_; }

 private:
  struct Mark {
    enum class Kind : uint8_t { kDurable, kRemoved, kSynced, kCleared } kind = Kind::kSynced;
    size_t position = 0;
    base::TimePoint when{};
    uint32_t block = 0;
    Writer writer = 0;
  };
  struct Look {  // at the store, after each chain and each step
    size_t position = 0;
    base::TimePoint when{};
    std::vector<KeyState> states;
    std::vector<bool> on_disk;
  };
  void open();
  void close();
  void carry_out(Step step);
  void store_chain(uint32_t chain);
  void run(OpKind kind, uint32_t chain);
  void settle();
  void mark(Mark::Kind kind, uint32_t block = 0, Writer writer = 0);
  void look();
  bool stayed(const Mark& mark, const Look& until) const;
  bool is_safe(const Mark& mark, size_t position, base::TimePoint when, bool removal) const;

  const uint64_t seed_;
  const bool settled_;
  const Catalog catalog_;
  Machine machine_;
  Recording recording_;
  ExpectedState expected_;
  base::Random random_;
  Findings findings_;
  std::unique_ptr<Client> client_;
  uint32_t puts_ = 0;
  std::vector<Mark> marks_;
  std::vector<Look> looks_;  // the first after the opening of the store
  size_t last_step_ = 0;
};

}  // namespace terrace::lab
