// One client of a store: carries out a workload's operations through the public API, keeps what it was given
// (handles, running operations, reservations) for a while, and checks every answer against the oracle and the
// expected state. Rows 1 and 2 use it alike, on virtual and on real time. One thread; several clients may
// share store and state.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <terrace/store.h>

#include "base/clock.h"
#include "lab/kit/caller_memory.h"
#include "lab/kit/catalog.h"
#include "lab/kit/expected_state.h"
#include "lab/kit/report.h"
#include "lab/kit/workload.h"

namespace terrace::lab {

// What a client tells whoever runs it. Every member may be empty.
struct ClientHooks {
  std::function<void(uint64_t value)> observe;  // for a trace: answers, events, checksums
  std::function<void(uint32_t block, Writer writer)> durable;
  std::function<void(uint32_t block, Writer removed_before)> removed;
  std::function<void(uint32_t block)> removal_failed;  // it may have been removed
  std::function<void()> synced;
};

struct ClientOptions {
  uint32_t number = 0;        // of several clients
  uint16_t tiers = 1;         // L2 tiers of the store
  uint16_t durable_tier = 1;  // whose ended writes survive a restart; 0: none
  uint64_t seed = 1;
  bool alone = true;     // no other client: what is committed is in L1 a moment later
  bool reliable = true;  // no faults: whatever is pinned is delivered
  bool drains = false;   // its tier is taken out of use now and then
  bool pristine = true;  // nothing was killed: no slot was left half overwritten under an old entry
  bool power_was_cut =
      false;             // an old entry may be back over a slot that was written anew: damaged, and found so
  bool complete = true;  // nothing leaves the durable tier: what ended there is found
  L1Mode mode = L1Mode::kCache;  // the store's at first
  bool switches = false;         // changes the mode now and then
  bool served = false;           // a server keeps the store
  bool server_ends = false;      // at times it is away: misses, and removals that fail, say so
  bool instant = false;          // virtual time: what must not wait takes no time at all (P6)
  base::Duration slack{0};       // how much later than its deadline an operation may answer
  base::Duration patience = std::chrono::seconds(120);  // an event later than this is a stuck operation
  bool verbose = false;
  std::string context;  // where failures come from, for their text
};

class Client {
 public:
  Client(Store& store, const Catalog& catalog, ExpectedState& expected, const base::Clock& clock,
         Findings& findings, ClientOptions options, ClientHooks hooks = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void run(const Operation& operation);
  // Puts a whole chain; its events come later.
  void store_chain(uint32_t chain);
  // Takes events and checks those due.
  void poll();
  // Events still owed.
  size_t owed() const;
  // Ends what runs and gives back every handle; events come later.
  void release_all();
  // Gives back the caller memory; after release_all(), when nothing is owed any more.
  void leave();
  // Keys that gets of every kind asked for.
  uint64_t keys_asked() const { return keys_asked_; }
  // Asks for one block alone and checks the answer; used after a restart. Returns its writer, 0 when the
  // store has it no more, nothing when time or room were too short or the answer was wrong.
  std::optional<Writer> check_block(uint32_t block, Timeout timeout);

  // Handed over at a simulated crash, when the store was killed: whatever it still owes will never come.
  void abandon();
  void set_complete(bool complete) { options_.complete = complete; }
  void set_power_was_cut() { options_.power_was_cut = true; }
  // Of one that outlives its server: something was killed.
  void set_killed() { options_.pristine = false; }
  uint64_t operations() const { return operations_; }

 private:
  struct Asked {  // what a retrieve asked for, and what was gone before it did
    std::vector<uint32_t> blocks;
    std::vector<Key> keys;
    std::vector<KeyState> before;
    base::TimePoint begun, due;
    bool cancelled = false;
    bool overdue = false;  // said once
    bool complete = true;  // the client's `complete` when it asked
  };
  struct Written {
    std::map<std::pair<uint32_t, uint16_t>, int> seen;  // (block, tier) of its events
    std::map<uint32_t, Writer> writers;                 // by block
    base::TimePoint begun;
  };
  struct HeldBlocks {
    Blocks blocks;
    std::vector<uint32_t> numbers;
    std::vector<Writer> writers;
  };
  struct HeldReservations {
    std::vector<Reservation> reservations;
    std::vector<uint32_t> blocks;
  };
  struct RunningGet {
    GetOperation operation;
    Asked asked;
  };
  struct RunningInto {
    IntoOperation operation;
    Asked asked;
    std::vector<RegionSlice> slices;
    size_t area = 0;
    bool wrong_size = false;
    bool has_result = false;
  };
  struct RunningPrefetch {
    PrefetchTicket ticket;
    Asked asked;
    bool has_result = false;
  };
  struct RunningPut {  // from memory that is the store's until it says so
    std::map<Key, int> released;
    size_t accepted = 0;
    size_t area = 0;
    uint64_t bytes = 0;
    base::TimePoint begun;
  };
  struct Area {  // caller memory of one operation
    CallerMemory bytes;
    RegionId region = 0;
    bool busy = false;
  };

  void carry_out(const Operation& operation);
  bool without_arena(const Operation& operation);

  // --- stores (client_stores.cc)
  void store_blocks(const Operation& operation, bool hold);
  void commit(std::vector<Reservation>& reservations, std::span<const uint32_t> blocks);
  void commit_held(const Operation& operation);
  void abort_held(const Operation& operation);
  void put(const Operation& operation);
  void take_back(uint64_t tag, const Key& key);
  void switch_mode();
  void remove(const Operation& operation);
  void clear(const Operation& operation);
  void sync();
  std::vector<BlockSpec> specs(const Operation& operation, std::vector<uint32_t>& blocks) const;
  void check_reserve(std::span<const ReserveOutcome> outcomes, const Operation& operation);
  void end_removal(std::span<const uint32_t> blocks, const Result<uint64_t>& answer, std::string_view what);

  // --- retrieves (client_retrieves.cc)
  void lookup(const Operation& operation, bool pin);
  void get(const Operation& operation);
  void get_stream(const Operation& operation);
  void get_async(const Operation& operation);
  void get_into(const Operation& operation);
  std::optional<Writer> check_block_into(uint32_t block, Timeout timeout);
  void prefetch(const Operation& operation);
  void cancel(const Operation& operation);
  void release(const Operation& operation);
  void try_to_take_back_a_region(uint64_t pick);
  Asked ask(const Operation& operation) const;
  Asked ask(std::span<const uint32_t> blocks, Timeout timeout) const;
  std::vector<Writer> check_blocks(Asked& asked, Blocks blocks, bool hold, std::string_view what);
  void check_reasons(const Asked& asked, size_t delivered, std::span<const MissReason> reasons,
                     std::string_view what);
  void check_owed(const Asked& asked, size_t delivered, std::span<const MissReason> reasons,
                  std::string_view what);
  Writer check_value(uint32_t block, const KeyState& before, std::span<const std::byte> bytes,
                     uint16_t source, std::string_view what);
  void check_held(const HeldBlocks& held);
  void check_lateness(const Asked& asked, std::string_view what);

  // --- events (client.cc)
  void take_event(const Completion& event);
  void take_write(const Completion& event);
  void take_batch(const Completion& event);
  void take_result(const Completion& event);
  void take_released(const Completion& event);
  void finish_get(uint64_t tag);
  void finish_into(uint64_t tag);
  void check_into(RunningInto& into);
  void check_overdue();
  void check_stuck();

  uint64_t next_tag() { return ++last_tag_; }
  Notify notify(uint64_t tag) const { return {queue_, tag}; }
  void observe(uint64_t value) const;
  bool server_was_away(const Error& error) const;
  void fail(std::string_view what);
  void fail_wrong(std::string_view what);
  void say(const std::string& text) const;
  std::string name(uint32_t block) const;
  Area* free_area(std::vector<Area>& areas);

  Store& store_;
  const Catalog& catalog_;
  ExpectedState& expected_;
  const base::Clock& clock_;
  Findings& findings_;
  ClientOptions options_;
  ClientHooks hooks_;
  std::shared_ptr<CompletionQueue> queue_;

  uint64_t operations_ = 0;
  uint64_t keys_asked_ = 0;
  bool releasing_ = false;  // nothing is held any more
  uint64_t last_tag_ = 0;
  Writer private_writers_ = 0;
  uint64_t area_bytes_ = 0;
  std::vector<Area> areas_;
  std::map<uint64_t, Written> written_;    // by tag, until their batch event
  std::map<uint64_t, RunningGet> gets_;    // until their result
  std::map<uint64_t, RunningInto> intos_;  // until released
  std::map<uint64_t, RunningPrefetch> prefetches_;
  std::map<uint64_t, RunningPut> puts_;  // until all their memory was released
  std::set<uint64_t> orphans_;           // destroyed before their result: at most one event may come
  std::deque<HeldBlocks> blocks_;
  std::deque<HeldReservations> reservations_;
  std::deque<Pin> pins_;
};

}  // namespace terrace::lab
