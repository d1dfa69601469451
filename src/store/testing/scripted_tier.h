// A tier in memory whose every step a test commands: it can hold operations until told, fail them, lie in
// what it reads, refuse places. Strict about the contract: a wrong buffer or a place it does not know ends
// the test.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"
#include "tier/tier.h"

namespace terrace::store::testing {

class ScriptedTier final : public tier::Tier {
 public:
  uint64_t records_max = 1000;  // then place() refuses with kNoRoom
  bool hold_writes = false, hold_reads = false, hold_removes = false, hold_recovery = false;
  bool fail_writes = false, fail_reads = false, fail_removes = false;
  bool local_memory = false;
  bool exact_index = true;  // false: shared with others, asked through exists()
  bool unavailable = false;
  bool flip_reads = false;     // a bit of what is read is wrong
  uint64_t payload_bytes = 0;  // of every block, as exists() tells it
  std::vector<tier::FoundBlock> found_at_start;
  uint64_t writes = 0, reads = 0, removes = 0, cancels = 0;
  uint64_t lasting_removals = 0;                 // calls of kRemove or kErase, empty ones too
  std::function<void()> before_lasting_removal;  // runs when one of them comes, before it takes anything

  explicit ScriptedTier(std::string name = "scripted") : name_(std::move(name)) {}

  // Lets held operations go on.
  void release_writes() { run(held_writes_); }
  void release_reads() { run(held_reads_); }
  void release_one_read() {
    auto step = std::move(held_reads_.front());
    held_reads_.pop_front();
    step();
  }
  void release_recovery() {
    listener_->found(found_at_start);
    listener_->recovered({});
  }
  void release_removes() { run(held_removes_); }
  size_t held_writes() const { return held_writes_.size(); }
  size_t held_reads() const { return held_reads_.size(); }
  size_t records() const { return records_.size(); }
  std::vector<std::byte>* record(const Key& key) {
    for (auto& [place, record] : records_) {
      if (record.key == key) return &record.bytes;
    }
    return nullptr;
  }
  tier::TierListener& listener() { return *listener_; }

  std::string_view name() const override { return name_; }
  tier::Capabilities capabilities() const override {
    tier::Capabilities can;
    can.local_memory = local_memory;
    can.exact_index = exact_index;
    return can;
  }
  void start(tier::TierListener& listener) override {
    listener_ = &listener;
    if (!hold_recovery) release_recovery();
  }
  tier::PlaceAnswer place(const record::BlockMeta& meta) override {
    if (unavailable) return std::unexpected(tier::PlaceRefused{tier::Refusal::kUnavailable, 0, false});
    if (records_.size() + placed_ >= records_max) {
      return std::unexpected(tier::PlaceRefused{tier::Refusal::kNoRoom, 0, false});
    }
    ++placed_;
    tier::Placement where;
    where.place = ++last_place_;
    where.binding = binding(meta.key, where.place);
    return where;
  }
  void withdraw(tier::Place place, uint64_t) override {
    if (records_.erase(place) == 0) --placed_;
  }
  void write(std::span<tier::WriteOp> batch) override {
    for (tier::WriteOp& op : batch) {
      ++writes;
      auto shared = std::make_shared<tier::WriteOp>(std::move(op));
      later(hold_writes, held_writes_, [this, shared] {
        --placed_;
        if (fail_writes) return shared->done(fail(Code::kIo, "scripted"));
        Record record{shared->meta.key, {}};
        for (const io::IoVec& part : shared->record) {
          TERRACE_ASSERT(part.bytes % base::kPage == 0);
          const auto* from = static_cast<const std::byte*>(part.data);
          record.bytes.insert(record.bytes.end(), from, from + part.bytes);
        }
        TERRACE_ASSERT(record.bytes.size() == record::record_bytes(shared->meta.payload_bytes));
        records_[shared->place] = std::move(record);
        shared->done({});
      });
    }
  }
  tier::ReadTicket read(tier::ReadOp op) override {
    ++reads;
    auto shared = std::make_shared<tier::ReadOp>(std::move(op));
    later(hold_reads, held_reads_, [this, shared] {
      if (fail_reads) return shared->sink->done(fail(Code::kIo, "scripted"));
      const auto it = records_.find(shared->place);
      if (it == records_.end()) return shared->sink->done(fail(Code::kCorrupt, "no such record"));
      auto bytes = it->second.bytes;
      if (flip_reads) bytes.back() ^= std::byte{1}, bytes[record::kHeaderBytes] ^= std::byte{1};
      uint64_t at = 0;
      for (const io::IoVec& part : shared->record) {
        TERRACE_ASSERT(at + part.bytes <= bytes.size());
        if (part.bytes > 0) std::memcpy(part.data, bytes.data() + at, part.bytes);
        at += part.bytes;
      }
      TERRACE_ASSERT(at == bytes.size());
      // The last part first: sinks must take parts in any order.
      const uint64_t part = record::part_bytes(shared->payload_bytes);
      for (uint32_t i = record::part_count(shared->payload_bytes); i-- > 0;) {
        const uint64_t offset = record::kHeaderBytes + i * part;
        shared->sink->arrived(offset, std::min(part, bytes.size() - offset));
      }
      shared->sink->arrived(0, record::kHeaderBytes);
      shared->sink->done({});
    });
    return reads;
  }
  void cancel(tier::ReadTicket) override { ++cancels; }
  void remove(std::span<const tier::RemoveOp> batch, tier::RemoveKind kind, tier::Done done) override {
    if (kind != tier::RemoveKind::kEvict) {
      ++lasting_removals;
      if (before_lasting_removal) std::exchange(before_lasting_removal, nullptr)();
    }
    for (const tier::RemoveOp& op : batch) {
      ++removes;
      records_.erase(op.place);
    }
    auto shared = std::make_shared<tier::Done>(std::move(done));
    const Result<void> result = fail_removes ? fail(Code::kIo, "a scripted removal error") : Result<void>();
    later(hold_removes && kind != tier::RemoveKind::kEvict, held_removes_,
          [shared, result] { (*shared)(result); });
  }
  void exists(std::span<const Key> keys, base::TimePoint,
              std::move_only_function<void(Result<std::vector<uint64_t>>)> done) override {
    if (exact_index) return done(fail(Code::kUnsupported, "exact index"));
    std::vector<uint64_t> lengths;
    for (const Key& key : keys) {
      lengths.push_back(record(key) == nullptr ? 0 : payload_bytes);
    }
    done(std::move(lengths));
  }
  record::Secret secret(tier::Place) const override { return {7}; }
  record::Binding binding(const Key& key, tier::Place place) const override {
    record::Binding binding = key.bytes;
    binding[0] = static_cast<uint8_t>(place);
    return binding;
  }
  bool available(tier::Place) const override { return !unavailable; }
  void remember_namespace(const tier::KnownNamespace& known) override { namespaces_.push_back(known); }
  std::vector<tier::KnownNamespace> namespaces() const override { return namespaces_; }
  void used(tier::Place, uint64_t) override {}
  tier::Status status() const override {
    tier::Status status;
    status.state = unavailable ? tier::State::kUnavailable : tier::State::kReady;
    status.usage.capacity_bytes = 1ull << 40;
    return status;
  }
  void sync(tier::Done done) override { done({}); }
  uint64_t close(base::TimePoint) override { return 0; }

 private:
  struct Record {
    Key key;
    std::vector<std::byte> bytes;
  };
  using Held = std::deque<std::move_only_function<void()>>;

  static void later(bool hold, Held& held, std::move_only_function<void()> step) {
    if (hold)
      held.push_back(std::move(step));
    else
      step();
  }
  static void run(Held& held) {
    Held now;
    now.swap(held);
    for (auto& step : now) step();
  }

  std::string name_;
  tier::TierListener* listener_ = nullptr;
  std::map<tier::Place, Record> records_;
  std::vector<tier::KnownNamespace> namespaces_;
  Held held_writes_, held_reads_, held_removes_;
  uint64_t placed_ = 0;
  tier::Place last_place_ = 0;
};

}  // namespace terrace::store::testing
