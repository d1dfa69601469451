// Puts files into a store one after the other while earlier ones are being written, and learns what became of
// each.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <terrace/store.h>

#include "cli/arguments.h"

namespace terrace::cli {

enum class PutState : uint8_t {
  kWaiting,
  kWriting,  // committed
  kStored,   // written to disk
  kPresent,  // was on disk already, or came with an earlier item of the same key
  kFailed,
};
std::string_view to_string(PutState state);

// One file and the block it becomes.
struct PutItem {
  BlockName name;
  std::string path;
  Key parent{};  // key before it in its chain; all zero at the head
  uint64_t bytes = 0;
  PutState state = PutState::kWaiting;
  bool evicted = false;  // stored, and gone again to make room for later ones
  Failure failure{};     // of kFailed
};

// Single-threaded. `ended` is called once for each item that is written, present or failed.
class BlockWriter {
 public:
  using Ended = std::function<void(const PutItem&)>;

  BlockWriter(Store& store, const Key& root, std::span<PutItem> items, Ended ended);

  // Reads the file and commits its block; waits while too much is being written.
  void put(size_t index);
  // Waits until every write ended and is durable; puts once more what found no room while others were
  // written.
  Outcome<void> finish();

 private:
  void fail_item(size_t index, Failure failure);
  void end_item(size_t index, PutState state);
  void commit(size_t index, Reservation reservation);
  Outcome<void> drain();
  Outcome<void> put_again();
  Outcome<void> sync();
  size_t take_events(Timeout timeout);
  void take(const Completion& event);
  void settle(size_t index);
  bool on_disk(const Key& key) const;
  void check_present(size_t index);

  Store& store_;
  const Key root_;
  const std::span<PutItem> items_;
  const Ended ended_;
  const std::shared_ptr<CompletionQueue> queue_;
  size_t running_ = 0;                    // commits whose kWriteBatch has not come
  std::vector<size_t> present_;           // in memory already: to look up on disk at the end
  std::vector<size_t> dropped_;           // to put again
  std::map<size_t, Completion> refused_;  // the first refusal of a block being written
  bool last_try_ = false;
};

}  // namespace terrace::cli
