// Calls of the public API, chosen by a byte string: any arguments, any order, handles kept and dropped at any
// time. Answers are checked against what was told (api_shadow.h).
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include <terrace/store.h>

#include "fuzz/kit/input.h"
#include "fuzz/targets/api_shadow.h"
#include "lab/kit/machine.h"

namespace terrace::fuzz {

class Caller {
 public:
  Caller(lab::Machine& machine, Input& input);
  ~Caller();
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  void call();
  // Gives every handle back.
  void drop_all();

 private:
  struct Leased {
    Blocks blocks;
    Shadow::Moment before;
  };
  struct Get {
    GetOperation operation;
    Shadow::Moment before;
  };
  struct Into {
    IntoOperation operation;
    std::vector<Key> keys;
    std::vector<RegionSlice> slices;
    Shadow::Moment before;
    bool known_memory = false;  // slices of its own: what arrives there can be checked
  };
  struct Memory {
    std::vector<std::byte> bytes;
    RegionId region = 0;
  };

  // --- arguments (api_arguments.cc)
  uint64_t size();
  Timeout timeout();
  Timeout short_timeout();  // of calls that wait, in virtual time
  Key key();
  std::vector<Key> keys();
  std::vector<BlockSpec> specs();
  RegionSlice slice();
  std::string name();
  Notify notify();

  // --- stores (api_stores.cc)
  void reserve();
  void commit();
  void abort();
  void put();
  void remove();
  void clear();

  // --- retrieves (api_retrieves.cc)
  void lookup();
  void lookup_families();
  void lookup_async();
  void get();
  void get_async();
  void get_into();
  void get_stream();
  void prefetch();
  void cancel();
  void take();
  void drop();
  void check(const Blocks& blocks, const Shadow::Moment& before, std::span<const Key> asked);
  void check_into(const Into& into);

  // --- the rest (api_caller.cc)
  void regions();
  void queues();
  void wait();
  void modes();
  void look_around();
  void open_namespace();
  void pass_time();
  void close();

  Store& store() { return machine_.store(); }

  lab::Machine& machine_;
  Input& input_;
  Shadow shadow_;
  Key root_{};
  Memory source_, target_, free_;  // put from, got into, and what hostile slices name
  uint64_t source_used_ = 0, target_used_ = 0;
  std::shared_ptr<CompletionQueue> queue_;
  uint64_t last_tag_ = 0;
  std::deque<Reservation> reservations_;
  std::deque<Leased> leased_;
  std::deque<Get> gets_;
  std::deque<Into> intos_;
  std::deque<PrefetchTicket> tickets_;
  std::deque<LookupOperation> lookups_;
  std::deque<Pin> pins_;
  std::deque<BlockStream> streams_;
};

}  // namespace terrace::fuzz
