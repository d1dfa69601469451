// One key's story (X2): from the index, the tiers' residencies and the history; no IO.
#include "store/flow_state.h"
#include "store/storage_manager.h"

namespace terrace::store {

KeyStory StorageManager::why(const Key& key) const {
  KeyStory story;
  story.key = key;
  Lock lock(mutex_);
  BlockId block = kNoBlock;
  story.reason = locate(key, block, false, nullptr).reason;
  if (block == kNoBlock) return story;
  const Block& entry = blocks_[block];
  story.not_written = entry.fate;
  if (entry.name_space != kNoNamespace) story.root = namespaces_[entry.name_space].root;
  const Buffer* buffer = l1_->find(block);
  if (buffer != nullptr && mode_ == L1Mode::kCache) {
    story.places.push_back({kL1, "l1", buffer->meta.payload_bytes, buffer->meta.parent, true});
  }
  const Key parent = entry.parent == kNoBlock ? Key{} : blocks_[entry.parent].key;
  for (uint32_t tier = 1; tier < tiers_end(); ++tier) {
    const TierState& state = tier_state(tier);
    if (writing(block, tier) != nullptr) story.on_way_to.push_back(state.name);
    const ResidenceId id = state.residency->find(block);
    if (id == kNoResidence) continue;
    const Residence& residence = (*state.residency)[id];
    story.places.push_back(
        {static_cast<uint16_t>(tier), state.name, residence.payload_bytes, parent, answers(tier, id, false)});
  }
  return story;
}

}  // namespace terrace::store
