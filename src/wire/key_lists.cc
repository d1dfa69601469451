#include "wire/key_lists.h"

#include <algorithm>

#include "base/checksum.h"

namespace terrace::wire {

namespace {

constexpr size_t kWorthASlot = 8;  // keys; a shorter list costs less than what it would push out

size_t in_common(std::span<const terrace::Key> a, std::span<const terrace::Key> b) {
  return static_cast<size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

uint64_t sum_of(std::span<const terrace::Key> keys) {
  return base::xxh3_64(std::as_bytes(keys));
}

}  // namespace

Result<std::span<const terrace::Key>> KeyListReader::read(const Keys* keys) {
  if (keys == nullptr) return std::span<const terrace::Key>{};
  const auto fresh = keys_of(keys->keys());
  if (keys->slot() == 0) return fresh;
  if (keys->slot() > kKeySlots) return fail(Code::kInvalidArgument, "key lists stand in slots 1 to 8");
  auto& list = lists_[keys->slot() - 1u];
  if (keys->keep() > list.size()) return fail(Code::kInvalidArgument, "the slot's list has fewer keys");
  if (keys->keep() + fresh.size() > kRememberedKeysMax)
    return fail(Code::kInvalidArgument, "a remembered list has at most 8192 keys");
  list.resize(keys->keep());
  list.insert(list.end(), fresh.begin(), fresh.end());
  if (sum_of(list) != keys->sum()) return fail(Code::kCorrupt, "the client remembers another list of keys");
  return std::span<const terrace::Key>(list);
}

flatbuffers::Offset<Keys> KeyListWriter::write(flatbuffers::FlatBufferBuilder& builder,
                                               std::span<const terrace::Key> keys) {
  uint8_t slot = 0;
  size_t keep = 0;
  if (keys.size() >= kWorthASlot && keys.size() <= kRememberedKeysMax) {
    const auto coldest = std::ranges::min_element(lists_, {}, &List::used);
    List* chosen = &*coldest;
    for (List& list : lists_) {
      const size_t common = in_common(keys, list.keys);
      if (common > keep) {
        keep = common;
        chosen = &list;
      }
    }
    chosen->keys.resize(keep);
    chosen->keys.insert(chosen->keys.end(), keys.begin() + static_cast<std::ptrdiff_t>(keep), keys.end());
    chosen->used = ++uses_;
    slot = static_cast<uint8_t>(chosen - lists_.data() + 1);
  }
  const uint64_t sum = slot == 0 ? 0 : sum_of(keys);
  const auto fresh = keys.subspan(keep);
  const auto list = builder.CreateVectorOfStructs(reinterpret_cast<const Key*>(fresh.data()), fresh.size());
  return CreateKeys(builder, slot, static_cast<uint32_t>(keep), list, sum);
}

}  // namespace terrace::wire
