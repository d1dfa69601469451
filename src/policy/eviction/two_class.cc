// Two classes of least recently used: blocks of a continuing conversation count as used five minutes later
// than they were. A conversation that goes on will go on again; a prompt never seen before mostly stays
// alone.
//
// What continues is told by a ghost: the keys of blocks used of late, those evicted since included, without
// bytes. A request continues when at least 70 % of its prompt is known to the ghost. A key names its whole
// prefix and a prefix is always used with its block, so one look at the key 70 % down the prompt answers
// that. The ghost learns from uses, not from requests, so a new prompt that is asked for and then stored
// stays new.
#include <utility>

#include <boost/unordered/unordered_flat_map.hpp>

#include "policy/eviction.h"

namespace terrace::policy {
namespace {

enum class Class : uint8_t { kNew, kContinuing };

constexpr uint64_t kBonus = 300'000'000'000;  // 300 s; docs/policies.md has what other values do
constexpr size_t kKnownPercent = 70;

// Keys by eight of their bytes, each with the class of its last request. Bounded: two generations of 450,000
// keys, 9 MB each when full. A use moves a key to the young one; when that is full the old one is forgotten.
// Two keys that share eight bytes share a class, which costs a rank, not an answer.
class Ghost {
 public:
  const Class* find(const Key& key) const {
    for (const Generation* generation : {&young_, &old_}) {
      if (const auto it = generation->find(key.word(1)); it != generation->end()) return &it->second;
    }
    return nullptr;
  }

  void used(const Key& key, Class its_class) {
    if (young_.size() >= kGenerationKeysMax) old_ = std::exchange(young_, {});
    young_.insert_or_assign(key.word(1), its_class);
  }

 private:
  static constexpr size_t kGenerationKeysMax = 450'000;  // below 7/8 of a power of two, where the map doubles
  struct WordHash {
    using is_avalanching = void;
    size_t operator()(uint64_t word) const { return word; }  // of a SHA-256 digest: uniform
  };
  using Generation = boost::unordered_flat_map<uint64_t, Class, WordHash>;
  Generation young_;
  Generation old_;
};

class TwoClass final : public EvictionPolicy {
 public:
  std::string_view name() const override { return "two_class"; }

  void request(std::span<const Key> keys, const Key& parent, uint64_t) override {
    current_ = class_of(keys, parent);
  }

  Rank rank(const Use& use) override {
    ghost_.used(use.key, current_);
    return current_ == Class::kContinuing ? use.time + kBonus : use.time;
  }

 private:
  Class class_of(std::span<const Key> keys, const Key& parent) const {
    if (!parent.is_zero()) {
      if (const Class* its_class = ghost_.find(parent)) return *its_class;
    }
    if (keys.empty()) return Class::kNew;
    const size_t needed = (keys.size() * kKnownPercent + 99) / 100;
    return ghost_.find(keys[needed - 1]) != nullptr ? Class::kContinuing : Class::kNew;
  }

  Ghost ghost_;
  Class current_ = Class::kNew;
};

}  // namespace

std::unique_ptr<EvictionPolicy> make_eviction_two_class() {
  return std::make_unique<TwoClass>();
}

}  // namespace terrace::policy
