// Arguments of every kind, mostly reasonable.
#include "fuzz/targets/api_caller.h"

namespace terrace::fuzz {

uint64_t Caller::size() {
  constexpr uint64_t kSizes[] = {
      0, 1, 7, 100, 4095, 4096, 4097, 9000, 1u << 20, kBlockBytesMax, kBlockBytesMax + 1, UINT64_MAX};
  const uint8_t choice = input_.byte();
  if (choice < 16) return kSizes[choice % std::size(kSizes)];
  return choice < 128 ? 100 + choice : uint64_t{choice - 100u} * 64;
}

Timeout Caller::timeout() {
  constexpr Timeout kTimeouts[] = {kDefaultTimeout,
                                   Timeout(0),
                                   Timeout(1),
                                   Timeout(-2),
                                   Timeout::min(),
                                   Timeout::max(),
                                   std::chrono::hours(1),
                                   std::chrono::hours(24 * 365 * 200)};
  const uint8_t choice = input_.byte();
  return choice < 32 ? kTimeouts[choice % std::size(kTimeouts)] : std::chrono::microseconds(choice * 8);
}

Timeout Caller::short_timeout() {
  const Timeout asked = timeout();
  return asked > std::chrono::minutes(2) ? std::chrono::minutes(2) : asked;
}

Key Caller::key() {
  const uint8_t choice = input_.byte();
  return Shadow::key(choice < 240 ? choice % Shadow::kKeys : choice - 240u + Shadow::kKeys);
}

std::vector<Key> Caller::keys() {
  const uint8_t count = input_.byte();
  if (count == 255) return std::vector<Key>(kBatchMax + 1, key());
  std::vector<Key> keys;
  for (uint32_t i = 0; i < count % 7u; ++i) keys.push_back(key());
  return keys;
}

std::vector<BlockSpec> Caller::specs() {
  std::vector<BlockSpec> specs;
  for (const Key& key : keys()) {
    BlockSpec spec{.key = key, .bytes = specs.size() < 8 ? size() : 1};
    if (input_.one_in(8)) {
      spec.family = Shadow::key(input_.below(Shadow::kKeys + 2));
      spec.member = {static_cast<uint32_t>(input_.number(4)), input_.byte(), input_.byte()};
    }
    specs.push_back(spec);
  }
  return specs;
}

RegionSlice Caller::slice() {
  const uint8_t choice = input_.byte();
  const RegionId region = choice < 128   ? free_.region
                          : choice < 160 ? source_.region + 100
                                         : input_.number(choice % 9);
  const uint64_t offset = choice % 4 == 0 ? input_.number(8) : input_.byte() * 256u;
  return {.region = region, .offset = offset, .bytes = size()};
}

std::string Caller::name() {
  constexpr std::string_view kNames[] = {"disk", "mock", "l1", "", "none"};
  return std::string(kNames[input_.below(std::size(kNames))]);
}

Notify Caller::notify() {
  return {input_.one_in(4) ? nullptr : queue_, ++last_tag_};
}

}  // namespace terrace::fuzz
