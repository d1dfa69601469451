// What a session takes, and may take (SessionLimits).
#include <utility>

#include "server/session.h"

namespace terrace::server {

namespace {

uint64_t bytes_of(const Blocks& blocks) {
  uint64_t bytes = 0;
  for (const BlockView& view : blocks.views()) bytes += view.bytes.size();
  return bytes;
}

}  // namespace

SessionUsage Session::usage() const {
  SessionUsage usage;
  usage.number = number_;
  usage.client = client_;
  usage.process = static_cast<uint32_t>(peer_.pid);
  usage.user = peer_.uid;
  usage.quarantined = closed_;
  usage.reserved_bytes = reserved_bytes_;
  usage.leased_bytes = leased_bytes_;
  usage.requests = running_.size() + apart_;
  return usage;
}

size_t Session::within_limit(std::span<const BlockSpec> blocks) const {
  const uint64_t most = host_.limits().reserved_bytes;
  if (most == 0) return blocks.size();
  uint64_t bytes = reserved_bytes_;
  size_t count = 0;
  while (count < blocks.size() && bytes + blocks[count].bytes <= most) bytes += blocks[count++].bytes;
  return count;
}

bool Session::may_lease() const {
  const uint64_t most = host_.limits().leased_bytes;
  return most == 0 || leased_bytes_ < most;
}

uint64_t Session::hold(Hold held) {
  if (const auto* const blocks = std::get_if<Blocks>(&held)) leased_bytes_ += bytes_of(*blocks);
  holds_.emplace(++last_hold_, std::move(held));
  return last_hold_;
}

void Session::drop_hold(uint64_t number) {
  const auto found = holds_.find(number);
  if (found == holds_.end()) return;
  if (const auto* const blocks = std::get_if<Blocks>(&found->second)) leased_bytes_ -= bytes_of(*blocks);
  holds_.erase(found);
}

void Session::drop_reservation(uint64_t number) {
  const auto found = reservations_.find(number);
  if (found == reservations_.end()) return;
  reserved_bytes_ -= found->second.bytes().size();
  reservations_.erase(found);
}

}  // namespace terrace::server
