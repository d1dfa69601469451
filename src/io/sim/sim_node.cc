#include "io/sim/sim_node.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

namespace terrace::io {
namespace {

uint64_t pages_for(uint64_t bytes) {
  return base::round_up(bytes, base::kPage) / base::kPage;
}

// Calls `piece(page, offset within it, offset within the range, bytes)` for each page the range touches.
template <class Piece>
void for_each_page(uint64_t offset, uint64_t bytes, Piece piece) {
  for (uint64_t at = 0; at < bytes;) {
    const uint64_t within = (offset + at) % base::kPage;
    const uint64_t step = std::min(base::kPage - within, bytes - at);
    piece((offset + at) / base::kPage, within, at, step);
    at += step;
  }
}

}  // namespace

uint64_t SimNode::pending_pages() const {
  uint64_t pending = 0;
  for (const auto& [page, versions] : history_) pending += versions.size();
  return pending;
}

uint64_t SimNode::allocated_after_write(uint64_t offset, uint64_t bytes) const {
  uint64_t added = 0;
  for_each_page(offset, bytes, [&](uint64_t page, uint64_t, uint64_t, uint64_t) {
    if (page >= reserved_pages_ && !pages_.contains(page)) ++added;
  });
  return allocated_bytes() + added * base::kPage;
}

uint64_t SimNode::allocated_after_allocate(uint64_t bytes) const {
  const uint64_t reserved = bytes < bytes_ ? pages_for(bytes) : std::max(reserved_pages_, pages_for(bytes));
  const auto beyond = bytes < bytes_ ? 0 : std::distance(pages_.lower_bound(reserved), pages_.end());
  return (reserved + static_cast<uint64_t>(beyond)) * base::kPage;
}

void SimNode::read(uint64_t offset, std::span<std::byte> to) const {
  for_each_page(offset, to.size(), [&](uint64_t page, uint64_t within, uint64_t at, uint64_t bytes) {
    const auto found = pages_.find(page);
    if (found == pages_.end() || !found->second) {
      std::memset(to.data() + at, 0, bytes);
    } else {
      std::memcpy(to.data() + at, found->second->data() + within, bytes);
    }
  });
}

// Keeps the present version of a page that is about to be written.
void SimNode::remember(uint64_t page) {
  PageBox& now = pages_[page];
  auto& versions = history_[page];
  if (versions.size() == kVersionsMax) versions.erase(versions.begin() + 1);
  versions.push_back(now ? std::make_unique<Page>(*now) : nullptr);
}

uint64_t SimNode::clean_pages(uint64_t offset, uint64_t bytes) const {
  uint64_t clean = 0;
  for_each_page(offset, bytes, [&](uint64_t page, uint64_t, uint64_t, uint64_t) {
    clean += history_.contains(page) ? 0 : 1;
  });
  return clean;
}

void SimNode::write(uint64_t offset, std::span<const std::byte> from) {
  for_each_page(offset, from.size(), [&](uint64_t page, uint64_t within, uint64_t at, uint64_t bytes) {
    if (page >= reserved_pages_ && !pages_.contains(page)) ++pages_beyond_;
    remember(page);
    PageBox& now = pages_[page];
    if (!now) now = std::make_unique<Page>();
    std::memcpy(now->data() + within, from.data() + at, bytes);
  });
  bytes_ = std::max(bytes_, offset + from.size());
}

void SimNode::damage(uint64_t offset, std::span<const std::byte> bytes) {
  for_each_page(offset, bytes.size(), [&](uint64_t page, uint64_t within, uint64_t at, uint64_t count) {
    if (page >= reserved_pages_ && !pages_.contains(page)) ++pages_beyond_;
    history_.erase(page);
    PageBox& now = pages_[page];
    if (!now) now = std::make_unique<Page>();
    std::memcpy(now->data() + within, bytes.data() + at, count);
  });
}

void SimNode::allocate(uint64_t bytes) {
  const uint64_t allocated = allocated_after_allocate(bytes);
  if (bytes < bytes_) {
    const uint64_t end = pages_for(bytes);
    pages_.erase(pages_.lower_bound(end), pages_.end());
    history_.erase(history_.lower_bound(end), history_.end());
    if (const uint64_t within = bytes % base::kPage;
        within != 0 && pages_.contains(end - 1) && pages_[end - 1]) {
      std::fill(pages_[end - 1]->begin() + static_cast<std::ptrdiff_t>(within), pages_[end - 1]->end(),
                std::byte{});
    }
    durable_bytes_ = std::min(durable_bytes_, bytes);
    durable_reserved_pages_ = std::min(durable_reserved_pages_, end);
    reserved_pages_ = end;
  } else {
    reserved_pages_ = std::max(reserved_pages_, pages_for(bytes));
  }
  bytes_ = bytes;
  pages_beyond_ = allocated / base::kPage - reserved_pages_;
}

void SimNode::sync() {
  history_.clear();
  durable_bytes_ = bytes_;
  durable_reserved_pages_ = reserved_pages_;
}

// `versions` are those of one page in the order they were written, the durable one first.
SimNode::PageBox SimNode::survivor(std::vector<PageBox> versions, base::Random& random, double keep) const {
  if (random.unit() < keep) return std::move(versions.back());
  if (random.one_in(2)) return std::move(versions[random.below(versions.size())]);
  // Torn: the first sectors of one version, the rest of another.
  const PageBox& head = versions[random.below(versions.size())];
  const PageBox& tail = versions[random.below(versions.size())];
  const uint64_t cut = (1 + random.below(base::kPage / kSector - 1)) * kSector;
  auto torn = std::make_unique<Page>();
  if (head) std::memcpy(torn->data(), head->data(), cut);
  if (tail) std::memcpy(torn->data() + cut, tail->data() + cut, base::kPage - cut);
  return torn;
}

void SimNode::settle(base::Random& random, double keep) {
  const bool keeps_length = random.unit() < keep;
  for (auto& [page, versions] : history_) {
    versions.push_back(std::move(pages_[page]));
    PageBox survived = survivor(std::move(versions), random, keep);
    if (survived) {
      pages_[page] = std::move(survived);
    } else {
      pages_.erase(page);
    }
  }
  if (!keeps_length) {
    bytes_ = durable_bytes_;
    reserved_pages_ = durable_reserved_pages_;
    pages_.erase(pages_.lower_bound(pages_for(bytes_)), pages_.end());
  }
  pages_beyond_ = static_cast<uint64_t>(std::distance(pages_.lower_bound(reserved_pages_), pages_.end()));
  sync();
}

}  // namespace terrace::io
