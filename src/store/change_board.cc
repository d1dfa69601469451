#include "store/change_board.h"

#include <bit>
#include <utility>

#include "surface/change_list.h"

namespace terrace::store {

void ChangeFeed::tell(const Change& change) {
  const bool of_a_block = change.kind == ChangeKind::kStored || change.kind == ChangeKind::kRemoved;
  if (of_a_block && !covers(scope_.get(), change.root)) return;
  changes_.add([&](std::deque<Change>& changes) { surface::add_change(changes, change); });
}

void ChangeBoard::tell(const Change& change) {
  std::erase_if(feeds_, [&](const std::weak_ptr<ChangeFeed>& weak) {
    const auto feed = weak.lock();
    if (feed != nullptr) feed->tell(change);
    return feed == nullptr;
  });
}

void ChangeBoard::changed(const Block& block, TierMask tier, bool there) {
  if (feeds_.empty()) return;
  Change change;
  change.kind = there ? ChangeKind::kStored : ChangeKind::kRemoved;
  change.tier = static_cast<uint16_t>(std::countr_zero(tier));
  change.key = block.key;
  change.root = namespaces_[block.name_space].root;
  tell(change);
}

void ChangeBoard::tier_is(uint32_t tier, TierCondition condition) {
  if (std::exchange(conditions_[tier], condition) == condition) return;
  Change change;
  change.kind = ChangeKind::kTierState;
  change.tier = static_cast<uint16_t>(tier);
  change.condition = condition;
  tell(change);
}

}  // namespace terrace::store
